//! What is due of a schedule: decided, written, and only then submitted and settled.
//!
//! A crash between any two of these leaves the due entry, and the next look goes on: fires
//! that are begun are submitted again, which finds their runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_common::records::ScheduleId;
use baton_common::transition::{KeepSchedule, OnBusy};
use baton_common::{Actor, Digest, RunId, ThreadId, ThreadKey, Timestamp};
use baton_schedule::{Fire, Overlap, Record, Verdict, print_moment, request_id};
use baton_store::Error;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::record_of;
use crate::api::{ApiError, Caller, ErrorKind, GraphRef, SubmitRequest};
use crate::orchestrator::{Inner, Orchestrator};

/// Times a look begins anew since another replica wrote first.
const LOOKS_MAX: u32 = 3;
/// A view older than this submits nothing: whoever stood still so long looks again.
const FRESH: Duration = Duration::from_secs(60);
/// A submit that is put off is tried again after so many polls, and at most so many more
/// each time.
const PUT_OFF_POLLS_MAX: u64 = 60;

/// What became of a submit.
enum Tried {
    Settled(Verdict),
    Later,
}

impl Inner {
    /// Does what is due of a schedule.
    pub(crate) async fn fire_schedule(self: &Arc<Self>, id: ScheduleId, now: Timestamp) -> Result<(), Error> {
        for _ in 0..LOOKS_MAX {
            match self.look_at_schedule(id, now).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind == ErrorKind::Unavailable => return Err(Error::Unavailable(error.cause)),
                Err(error) => {
                    tracing::warn!(schedule = %id.0, code = error.code, cause = error.cause, "schedule left for later");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether it was done, and no other wrote meanwhile.
    async fn look_at_schedule(self: &Arc<Self>, id: ScheduleId, now: Timestamp) -> Result<bool, ApiError> {
        let began = Instant::now();
        let Some(row) = self.store.schedule(id).await? else { return self.forget_schedule(id).await };
        let mut record = record_of(&row)?;
        let before = record.counts;
        let refused = |error: baton_schedule::Error| ApiError::internal(error.cause);
        record.look(now, self.schedule_rules()).map_err(refused)?;
        let now = now.max(record.mark);
        if record.asks_for_open(now) {
            let over = self.over(&record.open).await?;
            record.close(|run| over.contains(&run));
        }
        let cancel = record.begin(now);
        let Some(rev) = self.keep_schedule(Some(row.rev), &record, now, None).await? else { return Ok(false) };
        tell(&record, before);
        for run in cancel {
            self.cancel_for(&record, run).await;
        }
        let begun: Vec<Fire> = record.begun(now).cloned().collect();
        if begun.is_empty() {
            return Ok(true);
        }
        for fire in begun {
            if began.elapsed() > FRESH {
                return Ok(false);
            }
            match self.submit_fire(&record, &fire).await? {
                Tried::Settled(verdict) => record.settle(&fire.key, verdict, now),
                Tried::Later => {
                    let polls = (1 << fire.put_off.min(6)).min(PUT_OFF_POLLS_MAX);
                    record.put_off(&fire.key, now.plus_ms(self.schedule_rules().poll_ms.saturating_mul(polls)));
                }
            }
        }
        // Where another wrote meanwhile it has submitted the same, or the next look will.
        Ok(self.keep_schedule(Some(rev), &record, now, None).await?.is_some())
    }

    /// A due entry whose schedule is gone goes too.
    async fn forget_schedule(&self, id: ScheduleId) -> Result<bool, ApiError> {
        let (tenant, name, op) = (baton_common::TenantId::local(), String::new(), Digest::of(id.0.to_string()));
        let keep = KeepSchedule { id, tenant, name, seen: None, op, body: None, due: None, note: None };
        self.keep_schedule_op(keep).await?;
        Ok(true)
    }

    /// Which of these runs are over, or gone.
    async fn over(&self, runs: &[RunId]) -> Result<BTreeSet<RunId>, ApiError> {
        let mut over = BTreeSet::new();
        for &run in runs {
            if self.store.run(run).await?.is_none_or(|found| found.state.status.is_terminal()) {
                over.insert(run);
            }
        }
        Ok(over)
    }

    async fn cancel_for(self: &Arc<Self>, record: &Record, run: RunId) {
        let Ok(caller) = caller(record) else { return };
        if let Err(error) = (Orchestrator { inner: self.clone() }).cancel(&caller, run).await {
            let about = self.about_read(run).await;
            let (schedule, code) = (&record.name, error.code);
            about.in_scope(|| tracing::warn!(schedule, code, "run not cancelled for the next fire"));
        }
    }

    async fn submit_fire(self: &Arc<Self>, record: &Record, fire: &Fire) -> Result<Tried, ApiError> {
        let caller = caller(record)?;
        let request = match self.fire_request(record, fire).await {
            Ok(request) => request,
            Err(error) => return settled_by(record, fire, error),
        };
        let on_busy = match fire.overlap.unwrap_or(record.spec.overlap) {
            Overlap::Skip => OnBusy::Reject,
            Overlap::Queue | Overlap::Allow => OnBusy::Enqueue,
            Overlap::CancelRunning => OnBusy::Interrupt,
        };
        let run = run_of(record, fire)?;
        match (Orchestrator { inner: self.clone() }).submit_as(&caller, request, Some(on_busy)).await {
            Ok(submitted) if submitted.existed => Ok(Tried::Settled(Verdict::Known(submitted.run))),
            Ok(submitted) => {
                let about = self.about(submitted.run);
                about.in_scope(|| tracing::info!(schedule = record.name, fire = fire.key, "schedule fired"));
                Ok(Tried::Settled(Verdict::Started(submitted.run)))
            }
            Err(error) if error.code == "thread_busy" => Ok(Tried::Settled(Verdict::Overlap)),
            // The same fire began with another version of its graph or of the schedule.
            Err(error) if error.code == "request_id_reused" => Ok(Tried::Settled(Verdict::Known(run))),
            Err(error) => settled_by(record, fire, error),
        }
    }

    async fn fire_request(&self, record: &Record, fire: &Fire) -> Result<SubmitRequest, ApiError> {
        let spec = &record.spec;
        let graph = self.applied(&record.tenant, &spec.graph).await?;
        let graph = graph.ok_or_else(|| ApiError::not_found("graph", &spec.graph))?.hash;
        let mut input = spec.input.clone();
        if let Some(name) = &spec.time_input {
            input.insert(name.clone(), Value::String(print_moment(fire.nominal)));
        }
        Ok(SubmitRequest {
            graph: GraphRef::Hash(graph),
            input: Value::Object(input),
            request_id: Some(id_of(record, fire)?),
            thread: spec.thread.clone(),
            traceparent: None,
            record: false,
        })
    }
}

/// What the refusal of a submit means: most are final, some pass.
fn settled_by(record: &Record, fire: &Fire, error: ApiError) -> Result<Tried, ApiError> {
    match error.kind {
        ErrorKind::Unavailable => Err(error),
        ErrorKind::Exhausted | ErrorKind::Internal => {
            tracing::warn!(schedule = record.name, fire = fire.key, code = error.code, "fire put off");
            Ok(Tried::Later)
        }
        _ => {
            tracing::warn!(schedule = record.name, fire = fire.key, code = error.code, "fire refused");
            Ok(Tried::Settled(Verdict::Refused(error.code)))
        }
    }
}

/// Says which fires were left out: nobody else will.
fn tell(record: &Record, before: baton_schedule::Counts) {
    let (missed, skipped) = (record.counts.missed - before.missed, record.counts.skipped - before.skipped);
    if missed > 0 || skipped > 0 {
        tracing::warn!(schedule = record.name, tenant = %record.tenant, missed, skipped, "fires left out");
    }
}

fn id_of(record: &Record, fire: &Fire) -> Result<baton_common::RequestId, ApiError> {
    request_id(&record.name, &fire.key).map_err(|error| ApiError::internal(error.cause))
}

/// The run of a fire: it follows from the fire's id.
fn run_of(record: &Record, fire: &Fire) -> Result<RunId, ApiError> {
    let (tenant, request) = (record.tenant.clone(), id_of(record, fire)?);
    let thread = record.spec.thread.clone().unwrap_or_else(|| ThreadId::for_request(&tenant, &request));
    Ok(RunId::for_submit(&ThreadKey { tenant, thread }, Some(&request)))
}

/// In whose name a schedule's runs begin.
fn caller(record: &Record) -> Result<Caller, ApiError> {
    let actor = Actor::parse(&format!("schedule:{}", record.name)).map_err(ApiError::internal)?;
    Ok(Caller { tenant: record.tenant.clone(), actor, trace: None })
}
