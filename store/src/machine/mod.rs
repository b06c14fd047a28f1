//! The transitions as pure Rust: what each reads, answers and writes.
//!
//! The memory and SQLite adapters call [`apply`] inside their atomic write; the Redis
//! scripts are held to it by a differential test. Every transition validates first and
//! writes then, and repeating one changes nothing.
//!
//! Consumed groups leave no rows: a late claim or record of theirs answers UNKNOWN, which
//! is as final as DUPLICATE, and a run of any length keeps a constant number of rows.

mod advance;
mod answer;
pub mod bodies;
mod cancel;
mod child;
mod claim;
mod dead;
mod due;
mod edit;
mod ending;
mod expire;
mod fire;
mod guards;
mod keys;
mod lease;
mod leave;
mod mark;
mod needs;
mod open;
mod pause;
mod record;
mod release;
mod repin;
mod retention;
mod retry;
mod rows;
mod schedule;
mod signal;
mod stop;
mod submit;
mod tail;
mod wait;

use std::borrow::Cow;

use baton_common::Timestamp;
use baton_common::records::{Audit, Event, EventKind, Group, RunState};
use baton_common::settings::Timings;
use baton_common::transition::{Op, Reply};
use baton_common::{GroupId, JobId, Partition, RunId};

pub use guards::{Guard, Guards};
pub use record::retry_at;
pub use retention::RetentionRows;
pub use rows::{Outcome, Rows};
pub use schedule::ScheduleRows;
use stop::stopped;

/// What a transition knows beside its rows and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The store's clock, monotone per partition.
    pub now: Timestamp,
    /// Protocol timings.
    pub timings: &'a Timings,
    /// Which guards hold.
    pub guards: Guards,
}

/// Makes one transition on the rows of its partition.
///
/// # Errors
/// When a row cannot be read or written; the adapter then undoes what was written.
pub fn apply(rows: &mut dyn Rows, context: Context<'_>, op: &Op) -> Outcome<Reply> {
    let share = context.timings.share_max.max(1);
    let Context { now, timings, guards } = context;
    let mut machine = Machine { rows, now, timings, guards, share, going: share };
    Ok(match op {
        Op::Submit(op) => Reply::Submit(machine.submit(op)?),
        Op::Stage(op) => Reply::Changed(machine.stage(op)?),
        Op::Advance(op) => Reply::Advance(machine.advance(op)?),
        Op::Mark(op) => Reply::Changed(machine.mark(op)?),
        Op::Claim(op) => Reply::Claim(machine.claim(op)?),
        Op::Renew(op) => Reply::Renew(machine.renew(op)?),
        Op::Record(op) => Reply::Record(machine.record(op)?),
        Op::Expire(op) => Reply::Expire(machine.expire(op)?),
        Op::Answer(op) => Reply::Answer(machine.answer(op)?),
        Op::Cancel(op) => Reply::Cancel(machine.cancel(op)?),
        Op::Fire(op) => Reply::Fire(machine.fire(op)?),
        Op::PopDue(op) => Reply::PopDue(machine.pop_due(op)?),
        Op::Extend { run, ms, untried } => Reply::Changed(machine.extend(*run, *ms, *untried)?),
        Op::Park { run, reason } => Reply::Changed(machine.park(*run, reason)?),
        Op::Unpark { run, actor, operation } => Reply::Changed(machine.unpark(*run, actor, operation)?),
        Op::Dead(op) => Reply::Dead(machine.dead(op)?),
        Op::Republish(op) => Reply::Changed(machine.republish(op)?),
        Op::Recheck { run, group, ms } => Reply::Changed(machine.recheck(*run, group, *ms)?),
        Op::Gc { run } => Reply::Changed(machine.gc(*run)?),
        Op::Prune(op) => Reply::Prune(machine.prune(op)?),
        Op::Signal(op) => Reply::Signal(machine.signal(op)?),
        Op::Deliver(op) => Reply::Deliver(machine.deliver(op)?),
        Op::Heard { run, signals, waits } => Reply::Changed(machine.heard(*run, *signals, *waits)?),
        Op::Force { run } => Reply::Changed(machine.force(*run)?),
        Op::Edit(op) => Reply::Edit(machine.edit(op)?),
        Op::Retry(op) => Reply::Retry(machine.retry(op)?),
        Op::Repin(op) => Reply::Repin(machine.repin(op)?),
        Op::Reserve(op) => Reply::Reserve(machine.reserve(op)?),
        Op::Settle(op) => Reply::Changed(machine.settle(op)?),
        Op::KeepSchedule(op) => Reply::KeepSchedule(machine.keep_schedule(op)?),
    })
}

/// One transition under way.
struct Machine<'a> {
    rows: &'a mut dyn Rows,
    now: Timestamp,
    timings: &'a Timings,
    guards: Guards,
    /// Tasks that it may still follow to or stop beside the one it is about.
    share: u32,
    /// Tasks that it may still let go.
    going: u32,
}

impl Machine<'_> {
    /// Appends an audit entry behind the last.
    fn note(&mut self, entry: Audit) -> Outcome<()> {
        let (entry, head) = crate::audit::append(entry, self.rows.audit_head()?);
        self.rows.append_audit(&entry, &head)
    }

    /// A group that is there for whoever looks.
    fn group(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<Group>> {
        Ok(self.rows.group(run, group)?.filter(Group::is_there))
    }

    /// The groups of a run that are there, in order of their ids.
    fn groups(&mut self, run: RunId) -> Outcome<Vec<Group>> {
        let mut groups = self.rows.groups(run)?;
        groups.retain(Group::is_there);
        Ok(groups)
    }

    /// Appends an event of the run itself.
    fn run_event(
        &mut self,
        run: RunId,
        state: &mut RunState,
        kind: EventKind,
        number: u64,
        text: impl Into<Cow<'static, str>>,
    ) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(Event {
            run,
            seq: state.events,
            at: self.now,
            kind,
            group: None,
            index: None,
            number,
            text: text.into(),
        })
    }

    /// Appends an event of a group.
    fn group_event(
        &mut self,
        run: RunId,
        state: &mut RunState,
        kind: EventKind,
        group: &GroupId,
        number: u64,
        text: impl Into<Cow<'static, str>>,
    ) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(Event {
            run,
            seq: state.events,
            at: self.now,
            kind,
            group: Some(group.clone()),
            index: None,
            number,
            text: text.into(),
        })
    }

    /// Appends an event of one task.
    fn task_event(
        &mut self,
        job: &JobId,
        state: &mut RunState,
        kind: EventKind,
        number: u64,
        text: impl Into<Cow<'static, str>>,
    ) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(Event {
            run: job.run,
            seq: state.events,
            at: self.now,
            kind,
            group: Some(job.group.clone()),
            index: Some(job.index),
            number,
            text: text.into(),
        })
    }
}

/// The run of audit entries that are about a thread which nobody runs on.
fn nobody(partition: Partition) -> RunId {
    RunId { partition, uuid: uuid::Uuid::nil() }
}
