//! EDIT and RETRY: changing a thread's state from outside, and taking a run up again.

use crate::commit::Segment;
use crate::ids::{Actor, Gen, RunId, Seq, ThreadKey, Version};
use crate::records::{Checkpoint, SetBack};

/// Writes a checkpoint of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The thread.
    pub thread: ThreadKey,
    /// The new state; its parent must be the thread's head.
    pub checkpoint: Checkpoint,
    /// New pieces of append-like channels.
    pub segments: Vec<Segment>,
    /// Who edits.
    pub actor: Actor,
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditAnswer {
    /// It is the thread's head. The active run's version, if there is one.
    Edited {
        /// After the edit.
        ver: Option<Version>,
    },
    /// The same edit was made before.
    Already,
    /// The head is another.
    Conflict {
        /// The present head.
        head: Seq,
    },
    /// No such thread.
    Unknown,
}

/// Takes a run that ended or is stuck up again, in a new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The run.
    pub run: RunId,
    /// The generation it was seen in: repeating a retry changes nothing.
    pub seen: Gen,
    /// An earlier checkpoint to go on from. `None`: the failure itself is retried, what had
    /// succeeded beside it stays.
    pub from: Option<SetBack>,
    /// Who asks.
    pub actor: Actor,
}

/// What became of a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAnswer {
    /// It goes on: what may be published at once, and what is ready.
    Retried(super::Tail),
    /// The same retry was made before.
    Already,
    /// It succeeded, or has not ended.
    Refused,
    /// Another run is active on its thread.
    Busy,
    /// No such run.
    Unknown,
}
