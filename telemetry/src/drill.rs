//! Passing this process's failpoints. Which points there are, and what a plan says, is in
//! `baton_common::failpoint`; what an error or a repetition means is left to who passes.

use baton_common::failpoint::{self, Action};

/// What a step is to do after its point was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// As always.
    On,
    /// As if nobody had answered.
    Error,
    /// Twice.
    Dup,
}

/// Passes a point; waits if it says so.
pub async fn point(name: &str) -> Passed {
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
