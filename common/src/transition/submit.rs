//! SUBMIT.

use serde::{Deserialize, Serialize};

use crate::records::RunInfo;

/// What happens to a run on a thread that is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// It is refused.
    #[default]
    Reject,
    /// It waits for its turn.
    Enqueue,
}

/// Accepts a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The run.
    pub info: RunInfo,
    /// What to do when its thread is busy.
    pub on_busy: OnBusy,
}

/// What became of a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitAnswer {
    /// Accepted, and ready.
    Accepted,
    /// Accepted; it waits for its thread.
    Queued,
    /// The same submit was accepted before.
    Exists,
    /// The same run was submitted with another body.
    Conflict,
    /// Another run is active on the thread.
    Busy,
}
