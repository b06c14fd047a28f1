//! The transitions of the hand-over: what each is asked and what it answers.
//!
//! Each is one atomic script or transaction. Repeating one changes nothing and answers a
//! final code. `store::machine` says what they do; this file only names them.

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, NewTask};
use crate::failure::ErrorClass;
use crate::ids::{
    Actor, ClaimRequest, DispatchSeq, Fence, GroupId, InterruptId, JobId, Partition, RunId, Version, WorkerId,
};
use crate::job::RenewAnswer;
use crate::records::{Body, DueKey, GroupInfo, GroupState, RunInfo, RunState};
use crate::{Digest, Timestamp};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvanceAnswer {
    /// Committed. `again` when a group closed meanwhile; `next` is the run whose turn came.
    Advanced {
        /// The run's new version.
        ver: Version,
        /// Whether closed groups are left to fold.
        again: bool,
        /// The thread's next run, now ready.
        next: Option<RunId>,
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

/// Takes a job for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// The input the message speaks of.
    pub digest: Digest,
    /// Who asks.
    pub worker: WorkerId,
    /// Which asking it is.
    pub request: ClaimRequest,
    /// Length of the lease, in milliseconds.
    pub lease_ms: u64,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimVerdict {
    /// The worker holds the job.
    Granted(Box<Granted>),
    /// No such job.
    Unknown,
    /// The run is over or being cancelled.
    RunTerminal,
    /// The generation or the input is another.
    Stale,
    /// It has its outcome.
    Done,
    /// Held, parked, leased or not yet due.
    Busy,
    /// A `once` job whose lease is over.
    OutcomeUnknown,
    /// Too many workers were lost with it; it failed for good.
    Poison(Box<Tail>),
}

/// What a granted claim needs to make arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The attempt's token.
    pub fence: Fence,
    /// From 1.
    pub attempt: u32,
    /// The lease's end.
    pub lease_until: Timestamp,
    /// The group it belongs to.
    pub group: GroupInfo,
    /// [`crate::commit::Input`] as JSON.
    pub body: Body,
}

/// Prolongs leases of one worker in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renew {
    /// The partition all jobs lie in.
    pub partition: Partition,
    /// Who holds them.
    pub worker: WorkerId,
    /// The jobs and the tokens they are held with.
    pub leases: Vec<(JobId, Fence)>,
    /// Length of a lease, in milliseconds.
    pub lease_ms: u64,
}

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
    pub info: GroupInfo,
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

/// Answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The task that asked.
    pub job: JobId,
    /// The question.
    pub interrupt: InterruptId,
    /// The decision, as JSON: what a repetition is compared with.
    pub decision: Body,
    /// How the task ends: [`crate::job::Outcome`] as JSON.
    pub outcome: Body,
    /// Whether that outcome is a success.
    pub ok: bool,
    /// Who decided.
    pub actor: Actor,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerVerdict {
    /// It is the decision.
    Ok(Tail),
    /// The same decision was recorded before.
    Already,
    /// Another decision was recorded before.
    Conflict {
        /// The recorded one, as JSON.
        recorded: Body,
    },
    /// Its time was over.
    Expired,
    /// Its task ended otherwise.
    Withdrawn,
    /// The run is over or being cancelled.
    Terminal,
    /// No such question.
    Unknown,
}

/// Cancels a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The run.
    pub run: RunId,
    /// Who asks.
    pub actor: Actor,
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAnswer {
    /// It is being cancelled.
    Cancelling,
    /// It was being cancelled already.
    Already,
    /// It is over.
    Terminal,
    /// No such run.
    Unknown,
}

/// A due timer: a question's expiry, a group's deadline or a run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// The run.
    pub run: RunId,
    /// The group, unless the run's own time is over.
    pub group: Option<GroupId>,
    /// The index, unless the whole group's time is over.
    pub index: Option<u32>,
}

/// What became of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireAnswer {
    /// Nothing to do, or not yet.
    Kept,
    /// It ended what it was for.
    Fired(Tail),
}

/// Takes due entries, moving each on so that others do not take them meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopDue {
    /// Of which partition.
    pub partition: Partition,
    /// At most so many.
    pub limit: u32,
    /// Hidden for so many milliseconds.
    pub hide_ms: u64,
}

/// A due entry that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What is due.
    pub key: DueKey,
    /// For ready entries: how often it was taken since the run's last advance.
    pub attempts: u32,
}

/// Due entries and when the next one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DuePage {
    /// What is due, the earliest first.
    pub due: Vec<Due>,
    /// When the next entry of the partition is due.
    pub next: Option<Timestamp>,
    /// The store's clock.
    pub now: Timestamp,
}

/// Makes a dispatched task publishable again, on evidence that its message was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Republish {
    /// The task.
    pub job: JobId,
    /// The publication that is believed lost.
    pub seq: DispatchSeq,
}

/// The transitions.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// See [`Submit`].
    Submit(Box<Submit>),
    /// See [`Stage`].
    Stage(Stage),
    /// See [`Commit`].
    Advance(Box<Commit>),
    /// See [`Mark`].
    Mark(Mark),
    /// See [`Claim`].
    Claim(Claim),
    /// See [`Renew`].
    Renew(Renew),
    /// See [`Record`].
    Record(Box<Record>),
    /// See [`Expire`].
    Expire(Expire),
    /// See [`Answer`].
    Answer(Box<Answer>),
    /// See [`Cancel`].
    Cancel(Cancel),
    /// See [`Fire`].
    Fire(Fire),
    /// See [`PopDue`].
    PopDue(PopDue),
    /// Moves a run's ready entry on while it is being computed, by so many milliseconds.
    Extend {
        /// The run.
        run: RunId,
        /// Milliseconds from now.
        ms: u64,
    },
    /// Takes a run out of the due index until an operator looks. The text is a code.
    Park {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// Lets a parked run go on.
    Unpark {
        /// The run.
        run: RunId,
    },
    /// See [`Republish`].
    Republish(Republish),
    /// Moves a group's check on: how the sweeper closes a look at a group.
    Recheck {
        /// The run.
        run: RunId,
        /// The group.
        group: GroupId,
        /// Look again in so many milliseconds.
        ms: u64,
    },
    /// Removes the records of a run that is over.
    Gc {
        /// The run.
        run: RunId,
    },
}

impl Op {
    /// The partition whose records it reads and writes.
    #[must_use]
    pub fn partition(&self) -> Partition {
        match self {
            Self::Submit(op) => op.info.id.partition,
            Self::Stage(op) => op.run.partition,
            Self::Advance(op) => op.run.partition,
            Self::Mark(op) => op.run.partition,
            Self::Claim(op) => op.job.run.partition,
            Self::Renew(op) => op.partition,
            Self::Record(op) => op.job.run.partition,
            Self::Expire(op) => op.job.run.partition,
            Self::Answer(op) => op.job.run.partition,
            Self::Cancel(op) => op.run.partition,
            Self::Fire(op) => op.run.partition,
            Self::PopDue(op) => op.partition,
            Self::Republish(op) => op.job.run.partition,
            Self::Extend { run, .. }
            | Self::Park { run, .. }
            | Self::Unpark { run }
            | Self::Recheck { run, .. }
            | Self::Gc { run } => run.partition,
        }
    }
}

/// What the transitions answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Op::Submit`].
    Submit(SubmitAnswer),
    /// To [`Op::Advance`].
    Advance(AdvanceAnswer),
    /// To [`Op::Claim`].
    Claim(ClaimVerdict),
    /// To [`Op::Renew`]: one for each lease, in order.
    Renew(Vec<RenewAnswer>),
    /// To [`Op::Record`].
    Record(RecordVerdict),
    /// To [`Op::Expire`].
    Expire(ExpireAnswer),
    /// To [`Op::Answer`].
    Answer(AnswerVerdict),
    /// To [`Op::Cancel`].
    Cancel(CancelAnswer),
    /// To [`Op::Fire`].
    Fire(FireAnswer),
    /// To [`Op::PopDue`].
    PopDue(DuePage),
    /// To the others: whether something changed.
    Changed(bool),
}
