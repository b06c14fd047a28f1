//! KEEP_SCHEDULE: one compare-and-set over a schedule's row and its due entry. What is due of
//! it is decided elsewhere.

use baton_common::Version;
use baton_common::records::{Audit, ScheduleId, ScheduleRow};
use baton_common::transition::{KeepSchedule, KeepScheduleAnswer};

use super::{Machine, Outcome};

/// The schedules of one partition, inside one atomic write.
pub trait ScheduleRows {
    /// A schedule.
    fn schedule(&mut self, id: ScheduleId) -> Outcome<Option<ScheduleRow>>;
    /// Writes a schedule.
    fn put_schedule(&mut self, id: ScheduleId, row: &ScheduleRow) -> Outcome<()>;
    /// Removes a schedule.
    fn delete_schedule(&mut self, id: ScheduleId) -> Outcome<()>;
}

impl Machine<'_> {
    pub(super) fn keep_schedule(&mut self, op: &KeepSchedule) -> Outcome<KeepScheduleAnswer> {
        let known = self.rows.schedule(op.id)?;
        let rev = known.as_ref().map(|known| known.rev);
        if let Some(known) = known.filter(|known| known.op == op.op) {
            return Ok(KeepScheduleAnswer::Already { rev: known.rev });
        }
        if rev != op.seen {
            return Ok(KeepScheduleAnswer::Conflict { rev });
        }
        // One that is made anew counts on from the clock: no stale view of an earlier one fits it.
        let next = rev.unwrap_or_else(|| u64::try_from(self.now.0).unwrap_or(0)) + 1;
        match &op.body {
            Some(body) => {
                let (tenant, name) = (op.tenant.clone(), op.name.clone());
                let row = ScheduleRow { tenant, name, rev: next, op: op.op, body: body.clone() };
                self.rows.put_schedule(op.id, &row)?;
            }
            None => self.rows.delete_schedule(op.id)?,
        }
        match op.due {
            Some(at) => self.rows.put_due(&op.id.due(), at)?,
            None => self.rows.delete_due(&op.id.due())?,
        }
        if let Some(note) = &op.note {
            self.note(Audit {
                at: self.now,
                tenant: op.tenant.clone(),
                actor: note.actor.clone(),
                operation: note.operation.clone(),
                run: op.id.0,
                subject: op.name.clone(),
                before: Version(rev.unwrap_or(0)),
                after: Version(next),
                verdict: "kept".to_owned(),
                number: 0,
                prior: String::new(),
            })?;
        }
        Ok(KeepScheduleAnswer::Kept { rev: next })
    }
}
