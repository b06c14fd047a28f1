//! Passing this process's failpoints: `after_submit_script before_advance after_advance
//! before_publish before_confirm before_mark after_record before_reply_claim
//! before_reply_resume after_answer_script after_cancel_script`.

use baton_common::failpoint::{self, Action};

/// What a step is to do after its point was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// As always.
    On,
    /// As if nobody had answered.
    Error,
    /// Twice.
    Dup,
}

/// Passes a point; waits if it says so.
pub(crate) async fn point(name: &str) -> Passed {
    match failpoint::hit(name) {
        None | Some(Action::Crash) => Passed::On,
        Some(Action::Error) => Passed::Error,
        Some(Action::Dup) => Passed::Dup,
        Some(Action::Pause(pause)) => {
            tokio::time::sleep(pause).await;
            Passed::On
        }
    }
}

/// What a drill makes of a store call: nothing is known of what happened.
pub(crate) fn unknown() -> baton_store::Error {
    baton_store::Error::Unavailable("a drill says so".to_owned())
}
