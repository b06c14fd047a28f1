//! EDIT, RETRY and REPIN: changing a thread's state from outside, taking a run up again, and
//! going on with another version of its graph.

use std::sync::Arc;

use crate::commit::Segment;
use crate::ids::{Actor, Gen, GraphHash, RunId, Seq, ThreadKey, Version};
use crate::records::{Checkpoint, SetBack};
use crate::{Digest, Hasher, Timestamp};

/// Writes a checkpoint of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The thread.
    pub thread: ThreadKey,
    /// The new state; its parent must be the thread's head.
    pub checkpoint: Arc<Checkpoint>,
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
    /// When the run's time is over from now on. `None`: as before.
    pub deadline: Option<Timestamp>,
    /// Who asks.
    pub actor: Actor,
    /// The operation over many that it is part of, for the audit; empty where it is none.
    pub operation: String,
}

impl Retry {
    /// What the audit says it was about: the checkpoint, and the operation.
    #[must_use]
    pub fn subject(&self) -> String {
        let from = self.from.as_ref().map(|back| back.seq.to_string()).unwrap_or_default();
        [from.as_str(), &self.operation].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
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
    /// The checkpoint it is to go on from was removed.
    Gone,
    /// Another run is active on its thread.
    Busy,
    /// No such run.
    Unknown,
}

/// Pins a run that is not over to another version of its graph. Whether it fits there is not
/// looked at here: whoever asks has compared both with the run as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repin {
    /// The run.
    pub run: RunId,
    /// The version of the run that was looked at.
    pub seen: Version,
    /// The version of the graph.
    pub graph: GraphHash,
    /// Who asks.
    pub actor: Actor,
}

impl Repin {
    /// Names it as the last operation of its run, so that no process goes on from a state it
    /// remembers.
    #[must_use]
    pub fn op(&self) -> Digest {
        let hasher = Hasher::new().field("repin").field(self.run.to_string());
        hasher.number(self.seen.0).field(self.graph.to_string()).finish()
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepinAnswer {
    /// Its next advance is computed with that version.
    Repinned {
        /// The run's version after it.
        ver: Version,
    },
    /// It is pinned to that version.
    Already,
    /// It has moved on since it was looked at.
    Conflict {
        /// Its present version.
        ver: Version,
    },
    /// It is over.
    Terminal,
    /// No such run.
    Unknown,
}
