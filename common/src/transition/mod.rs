//! The transitions of the hand-over: what each is asked and what it answers.
//!
//! Each is one atomic script or transaction. Repeating one changes nothing and answers a
//! final code. `store::machine` says what they do; this file only names them.

mod advance;
mod answer;
mod claim;
mod dead;
mod due;
mod history;
mod keys;
mod record;
mod retention;
mod schedule;
mod signal;
mod submit;

use std::sync::Arc;

use crate::commit::Commit;
use crate::ids::{Actor, GroupId, Partition, RunId};
use crate::job::RenewAnswer;

pub use advance::{AdvanceAnswer, Mark, NARROW_TASKS_MAX, Publishable, Republish, STAGE_TASKS_MAX, Stage};
pub use answer::{Answer, AnswerVerdict, Cancel, CancelAnswer, Fire, FireAnswer};
pub use claim::{Claim, ClaimVerdict, Granted, Renew};
pub use dead::{Dead, DeadAnswer};
pub use due::{Due, DuePage, PopDue};
pub use history::{Edit, EditAnswer, Repin, RepinAnswer, Retry, RetryAnswer};
pub use keys::{KeyName, Reserve, ReserveAnswer, Settle};
pub use record::{CLOSED_BYTES_MAX, Closed, ClosedGroup, Expire, ExpireAnswer, Record, RecordVerdict, Recorded, Tail};
pub use retention::{PRUNED_MAX, Prune, PruneAnswer};
pub use schedule::{KeepSchedule, KeepScheduleAnswer, ScheduleNote};
pub use signal::{Deliver, DeliverAnswer, Signal, SignalAnswer};
pub use submit::{Fork, OnBusy, Submit, SubmitAnswer};

/// The transitions.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// See [`Submit`].
    Submit(Box<Submit>),
    /// See [`Stage`].
    Stage(Stage),
    /// See [`Commit`].
    Advance(Arc<Commit>),
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
        /// Whether it was taken by a program that may not advance it, and no attempt was made.
        untried: bool,
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
        /// Who asks.
        actor: Actor,
        /// The operation over many that it is part of; empty where it is none.
        operation: String,
    },
    /// See [`Dead`].
    Dead(Box<Dead>),
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
    /// See [`Prune`].
    Prune(Prune),
    /// See [`Signal`].
    Signal(Box<Signal>),
    /// See [`Deliver`].
    Deliver(Box<Deliver>),
    /// Takes a run's signal entry out of the due index once somebody has looked at its
    /// signals, unless there are newer ones or it has waits that were released since.
    Heard {
        /// The run.
        run: RunId,
        /// The root's thread's last signal as it was looked at.
        signals: u64,
        /// [`crate::records::RunState::waits`] as it was looked at.
        waits: u32,
    },
    /// Waits no longer for what a run that is cancelled or turned to its compensations has
    /// at work: its groups close without it.
    Force {
        /// The run.
        run: RunId,
    },
    /// See [`Edit`].
    Edit(Box<Edit>),
    /// See [`Retry`].
    Retry(Box<Retry>),
    /// See [`Repin`].
    Repin(Repin),
    /// See [`Reserve`].
    Reserve(Reserve),
    /// See [`Settle`].
    Settle(Box<Settle>),
    /// See [`KeepSchedule`].
    KeepSchedule(Box<KeepSchedule>),
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
            | Self::Unpark { run, .. }
            | Self::Recheck { run, .. }
            | Self::Heard { run, .. }
            | Self::Force { run }
            | Self::Gc { run } => run.partition,
            Self::Prune(op) => op.thread.partition(),
            Self::Signal(op) => op.thread.partition(),
            Self::Deliver(op) => op.job.run.partition,
            Self::Dead(op) => op.job.run.partition,
            Self::Edit(op) => op.thread.partition(),
            Self::Retry(op) => op.run.partition,
            Self::Repin(op) => op.run.partition,
            Self::Reserve(op) => op.name.partition(),
            Self::Settle(op) => op.name.partition(),
            Self::KeepSchedule(op) => op.id.partition(),
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
    /// To [`Op::Prune`].
    Prune(PruneAnswer),
    /// To [`Op::Signal`].
    Signal(SignalAnswer),
    /// To [`Op::Deliver`].
    Deliver(DeliverAnswer),
    /// To [`Op::Edit`].
    Edit(EditAnswer),
    /// To [`Op::Retry`].
    Retry(RetryAnswer),
    /// To [`Op::Dead`].
    Dead(DeadAnswer),
    /// To [`Op::Repin`].
    Repin(RepinAnswer),
    /// To [`Op::Reserve`].
    Reserve(ReserveAnswer),
    /// To [`Op::KeepSchedule`].
    KeepSchedule(KeepScheduleAnswer),
    /// To the others: whether something changed.
    Changed(bool),
}
