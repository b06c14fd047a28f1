//! Schedules at work: their records read and written, and what is due of them done.
//!
//! What is due is decided by `baton_schedule` on the record alone, and written before any run
//! is submitted, with the `rev` that was seen: of replicas that decide at once one writes. The
//! run's id follows from the fire's, so that whoever submits it, and however often, it is one.

mod fire;

use baton_common::records::{ScheduleId, ScheduleRow};
use baton_common::transition::{KeepSchedule, KeepScheduleAnswer, ScheduleNote};
use baton_common::{Hasher, Timestamp};
use baton_schedule::{Record, Rules};

use crate::api::ApiError;
use crate::orchestrator::Inner;

impl Inner {
    /// How late is late.
    pub(crate) fn schedule_rules(&self) -> Rules {
        let timings = &self.settings.timings;
        Rules { late_ms: timings.fire_late_ms, poll_ms: timings.fire_poll_ms.max(1) }
    }

    /// Writes a record as it was decided on; whether it was still as it was seen.
    pub(crate) async fn keep_schedule(
        &self,
        seen: Option<u64>,
        record: &Record,
        now: Timestamp,
        note: Option<ScheduleNote>,
    ) -> Result<Option<u64>, ApiError> {
        let body = serde_json::to_string(record).map_err(ApiError::internal)?;
        let due = record.due(now, self.schedule_rules()).map_err(|error| ApiError::internal(error.cause))?;
        let id = ScheduleId::of(&record.tenant, &record.name);
        let kept = self.write_schedule(id, seen, record, Some(body), due, note).await?;
        if let (Some(_), Some(due)) = (kept, due) {
            self.nudge(id.partition(), due);
        }
        Ok(kept)
    }

    /// Removes it; whether it was still as it was seen.
    pub(crate) async fn drop_schedule(&self, seen: u64, record: &Record, note: ScheduleNote) -> Result<bool, ApiError> {
        let id = ScheduleId::of(&record.tenant, &record.name);
        Ok(self.write_schedule(id, Some(seen), record, None, None, Some(note)).await?.is_some())
    }

    async fn write_schedule(
        &self,
        id: ScheduleId,
        seen: Option<u64>,
        record: &Record,
        body: Option<String>,
        due: Option<Timestamp>,
        note: Option<ScheduleNote>,
    ) -> Result<Option<u64>, ApiError> {
        let hasher = Hasher::new().field("schedule").field(id.0.to_string()).number(seen.unwrap_or(0));
        let due_field = due.map_or_else(String::new, |due| due.to_string());
        let op = hasher.field(body.as_deref().unwrap_or_default()).field(due_field).finish();
        let (tenant, name) = (record.tenant.clone(), record.name.clone());
        let keep = KeepSchedule { id, tenant, name, seen, op, body, due, note };
        let settled = self.settle(|| self.keep_schedule_op(keep.clone())).await?;
        Ok(match settled.answer {
            KeepScheduleAnswer::Kept { rev } | KeepScheduleAnswer::Already { rev } => Some(rev),
            // A repeated removal finds nothing left.
            KeepScheduleAnswer::Conflict { rev: None } if keep.body.is_none() && settled.repeated => Some(0),
            KeepScheduleAnswer::Conflict { .. } => None,
        })
    }
}

/// What is kept of a schedule.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn record_of(row: &ScheduleRow) -> Result<Record, ApiError> {
    serde_json::from_str(&row.body).map_err(|error| ApiError::internal(format!("a schedule cannot be read: {error}")))
}
