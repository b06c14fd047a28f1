//! Passing this worker's failpoints: `before_claim after_claim before_ack after_ack
//! before_run after_run before_resume after_resume`.

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
