//! STAGE and ADVANCE, and what follows a publication: MARK and REPUBLISH.

use serde::{Deserialize, Serialize};

use super::Tail;
use crate::Digest;
use crate::commit::NewTask;
use crate::ids::{DispatchSeq, GroupId, JobId, RunId, Version};

/// Brings tasks of a wide group in, under the operation of the advance that will open it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The run.
    pub run: RunId,
    /// The advance's operation.
    pub op: Digest,
    /// The group.
    pub group: GroupId,
    /// Index of the first task of this chunk.
    pub first: u32,
    /// At most [`STAGE_TASKS_MAX`].
    pub tasks: Vec<NewTask>,
}

/// Tasks in one STAGE, and the most an ADVANCE carries itself.
pub const STAGE_TASKS_MAX: usize = 500;

/// Groups of more tasks than this keep them in keys of their own on Redis.
pub const NARROW_TASKS_MAX: u32 = 64;

/// A task that may be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publishable {
    /// The task.
    pub job: JobId,
    /// Quoted in the message and at the mark.
    pub seq: DispatchSeq,
}

/// What became of an advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvanceAnswer {
    /// Committed. `again` when a group closed meanwhile; `next` is the run whose turn came.
    Advanced {
        /// The run's new version.
        ver: Version,
        /// Whether closed groups are left to fold.
        again: bool,
        /// The thread's next run, now ready.
        next: Option<RunId>,
        /// Children that were started, now ready.
        children: Vec<RunId>,
        /// For the end of a child: its caller, and what followed there.
        parent: Option<Box<(RunId, Tail)>>,
    },
    /// The same advance was committed before.
    Already {
        /// The run's version after it.
        ver: Version,
    },
    /// The run is over, or unknown.
    Terminal,
    /// It was computed from a state that is no longer the run's.
    Conflict,
    /// Staged tasks are missing: stage them again.
    Incomplete,
}

/// Notes which publications the broker confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// The tasks and the publication each was confirmed for.
    pub tasks: Vec<(GroupId, u32, DispatchSeq)>,
}

/// Makes a dispatched task publishable again, on evidence that its message was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Republish {
    /// The task.
    pub job: JobId,
    /// The publication that is believed lost.
    pub seq: DispatchSeq,
}
