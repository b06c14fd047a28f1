//! RECORD and EXPIRE: how attempts end, and what their end leads to.

use std::sync::Arc;

use super::Publishable;
use crate::failure::ErrorClass;
use crate::ids::{Fence, InterruptId, JobId, RunId};
use crate::records::{Body, GroupInfo, GroupState, RunState};
use crate::{Digest, Timestamp};

/// How an attempt ended, as RECORD is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// [`crate::job::Outcome`] as JSON; it succeeded.
    Ok(Body),
    /// It failed.
    Error {
        /// What may be done about it.
        class: ErrorClass,
        /// Its code.
        code: String,
        /// The other side's wish for a pause, in milliseconds.
        retry_after_ms: Option<u64>,
        /// [`crate::job::Outcome`] as JSON.
        body: Body,
    },
    /// It asks a person before it goes on. It gives its worker back meanwhile.
    Ask {
        /// [`crate::commit::Question`] as JSON.
        question: Body,
        /// What it wants back, as JSON.
        continuation: Option<Body>,
        /// How long the question stays open, in milliseconds.
        expires_ms: Option<u64>,
    },
    /// It goes on after a while. It gives its worker back meanwhile.
    Wait {
        /// How long, in milliseconds.
        after_ms: u64,
        /// What it wants back: [`crate::commit::Continued`] as JSON.
        continuation: Option<Body>,
    },
    /// Its worker leaves without an outcome and gives it back: it is to be handed out again at
    /// once, and no attempt is counted. A `once` job has begun, so that a person is asked.
    Returned,
    /// It was claimed and is not begun: it is to be handed out again, not before that moment,
    /// and no attempt is counted.
    Later {
        /// When.
        at: Timestamp,
        /// What it waits for, as its event says.
        why: String,
    },
}

/// Records an attempt's outcome. Workers and callers name it resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub job: JobId,
    /// The input it ran on.
    pub digest: Digest,
    /// The attempt's token.
    pub fence: Fence,
    /// How it ended.
    pub outcome: Recorded,
}

/// What the end of a task led to, in its group and its run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// Tasks that became publishable: publish them at once.
    pub released: Vec<Publishable>,
    /// The groups that are closed and not consumed, if one closed: advance at once.
    pub closed: Option<Box<Closed>>,
    /// Runs that became ready: children that were started, or whose turn came.
    pub ready: Vec<RunId>,
}

/// What an advance needs, so that the caller need not read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The run as it stands.
    pub run: RunState,
    /// The groups, in order of their ids.
    pub groups: Vec<ClosedGroup>,
}

/// The largest sum of result bodies that a RECORD answers with.
pub const CLOSED_BYTES_MAX: usize = 256 * 1024;

/// A closed group with the outcomes of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGroup {
    /// What is fixed about it.
    pub info: Arc<GroupInfo>,
    /// Its counters.
    pub state: GroupState,
    /// By index: [`crate::job::Outcome`] as JSON, `None` where it was cancelled. The list
    /// itself is `None` where it is too large to answer with: read it.
    pub outcomes: Option<Vec<Option<Body>>>,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordVerdict {
    /// Recorded.
    Ok(Tail),
    /// Another attempt follows.
    Retry {
        /// Not before then.
        at: Timestamp,
    },
    /// It asked or waits, and goes on later.
    Parked {
        /// Its question: the id of the phase that ended with it, [`InterruptId::of`] (job, phase).
        interrupt: Option<InterruptId>,
    },
    /// It had ended already.
    Duplicate,
    /// The generation or the input is another.
    Stale,
    /// A failure of an attempt that no longer holds the job.
    StaleFence,
    /// The run is over.
    RunTerminal,
    /// No such job.
    Unknown,
}

/// Ends a lease that has run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expire {
    /// The job.
    pub job: JobId,
}

/// What became of a lease's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpireAnswer {
    /// Nothing to do: renewed, ended or never claimed.
    Kept,
    /// It may be published again, not before then.
    Again {
        /// End of the backoff.
        at: Timestamp,
    },
    /// A `once` job: a question was opened.
    OutcomeUnknown(InterruptId),
    /// It failed for good, or was cancelled.
    Ended(Tail),
}
