//! SUBMIT.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::commit::Segment;
use crate::ids::RunId;
use crate::records::{Checkpoint, Origin, RunInfo, SetBack};

/// What happens to a run on a thread that is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// It is refused.
    #[default]
    Reject,
    /// It waits for its turn.
    Enqueue,
    /// The active run is cancelled, and it is the next.
    Interrupt,
    /// The active run is cancelled and what it wrote is taken back, and it is the next.
    Rollback,
}

/// Accepts a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Submit {
    /// The run.
    pub info: RunInfo,
    /// What to do when its thread is busy.
    pub on_busy: OnBusy,
    /// For [`OnBusy::Rollback`]: the run it takes back and where its thread goes then.
    /// Another run being active by now is [`SubmitAnswer::Busy`].
    pub set_back: Option<(RunId, SetBack)>,
    /// For a fork on a new thread.
    pub fork: Option<Box<Fork>>,
    /// Whether a new thread outlives it: a caller named it, or the graph keeps channels.
    pub lasting: bool,
}

/// What a fork begins with. Its first step takes the open activations of that checkpoint up
/// again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fork {
    /// What it shares.
    pub origin: Origin,
    /// The new thread's head.
    pub head: SetBack,
    /// An edit on top of it, the head then: a checkpoint of the new thread.
    pub edit: Option<(Arc<Checkpoint>, Vec<Segment>)>,
}

impl Submit {
    /// A submit that takes nothing back and shares nothing.
    #[must_use]
    pub fn new(info: RunInfo, on_busy: OnBusy) -> Self {
        Self { info, on_busy, set_back: None, fork: None, lasting: false }
    }
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
    /// What a fork is to share was removed.
    Gone,
}
