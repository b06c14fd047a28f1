//! What each kind of due entry asks for.
//!
//! Each was hidden for a while when it was taken; what fails here is simply due again.

use std::sync::Arc;

use baton_common::records::{DueKey, DueKind, ScheduleId, TaskState};
use baton_common::transition::{Due, Expire, ExpireAnswer, Fire, FireAnswer, Op, Publishable};
use baton_common::{GroupId, JobId, RunId, Timestamp};
use baton_store::Error;
use baton_telemetry::metrics;
use tokio::time::{Duration, Instant};

use super::check::Evidence;
use crate::about;
use crate::driver::Cue;
use crate::orchestrator::Inner;
use crate::publisher::Batch;
use crate::traces;

impl Inner {
    pub(super) async fn handle(self: &Arc<Self>, due: Due, evidence: Evidence, now: Timestamp) {
        let Due { key, attempts } = due;
        let (run, kind) = (key.run, key.kind);
        if let Err(error) = self.handle_entry(key, attempts, evidence, now).await {
            let kind = kind.letter();
            if kind == DueKind::Schedule.letter() {
                tracing::debug!(schedule = %run, %kind, %error, "due entry left for later");
            } else {
                self.about(run).in_scope(|| tracing::debug!(%kind, %error, "due entry left for later"));
            }
        }
    }

    async fn handle_entry(
        self: &Arc<Self>,
        key: DueKey,
        attempts: u32,
        evidence: Evidence,
        now: Timestamp,
    ) -> Result<(), Error> {
        let DueKey { kind, run, group, index, thread } = key;
        match (kind, group, index) {
            (DueKind::Ready, ..) => self.advance_soon(run, Cue::Due(attempts)),
            (DueKind::Cancel, ..) => {
                // Whoever still works on it was told at each renewal.
                self.change_op(Op::Force { run }).await?;
                self.advance_soon(run, Cue::EndCancel);
            }
            (DueKind::Signal, ..) => {
                if let Err(error) = self.deliver_signals(run, None).await {
                    self.about(run).in_scope(|| tracing::debug!(%error, "signals left for later"));
                }
            }
            (DueKind::Publish, Some(group), index) => self.publish_due(run, &group, index, now).await?,
            (DueKind::Check, Some(group), _) => self.check(run, &group, evidence, now).await?,
            (DueKind::Lease, Some(group), Some(index)) => self.expire(run, group, index).await?,
            (DueKind::Timer, group, index) => self.fire(Fire { run, group, index }).await?,
            (DueKind::Gc, ..) => self.collect(run).await?,
            (DueKind::Thread, ..) => {
                if let Some(thread) = thread {
                    self.prune(&thread).await?;
                }
            }
            (DueKind::Schedule, ..) => self.fire_schedule(ScheduleId(run), now).await?,
            (DueKind::Publish | DueKind::Check | DueKind::Lease, ..) => {
                let about = self.about_read(run).await;
                about.in_scope(|| tracing::warn!(kind = %kind.letter(), "due entry without its group"));
            }
        }
        Ok(())
    }

    /// Publishes tasks of a group whose time has come: one, or all that are left.
    pub(super) async fn publish_due(
        self: &Arc<Self>,
        run: RunId,
        id: &GroupId,
        index: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.broker.ready() {
            return Ok(());
        }
        let Some((group, tasks)) = self.store.group(run, id).await? else { return Ok(()) };
        let Some(found) = self.store.run(run).await? else { return Ok(()) };
        let job = |index| JobId { run, r#gen: found.state.r#gen, group: id.clone(), index };
        let wanted = (0_u32..).zip(&tasks).filter(|(each, _)| index.is_none_or(|index| index == *each));
        let due =
            wanted.filter(|(_, task)| matches!(task.state, TaskState::Publishable { not_before } if not_before <= now));
        let mut late = Duration::ZERO;
        let due = due.inspect(|(_, task)| {
            if let TaskState::Publishable { not_before } = task.state {
                late = late.max(Duration::from_millis(now.since_ms(not_before)));
            }
        });
        let due: Vec<_> = due.map(|(index, task)| Publishable { job: job(index), seq: task.dispatch_seq }).collect();
        if !due.is_empty() {
            let digests = tasks.iter().map(|task| task.digest).collect();
            let span = traces::sweep(Some(&group.info), "publish");
            let trace = span.context();
            let group = self.keep_opened(run, group.info, digests);
            let since = Instant::now().checked_sub(late).unwrap_or_else(Instant::now);
            self.publish(&found.info, vec![Batch { group, tasks: due, since, trace }]).await;
        }
        Ok(())
    }

    async fn expire(self: &Arc<Self>, run: RunId, group: GroupId, index: u32) -> Result<(), Error> {
        let Some(found) = self.store.run(run).await? else { return Ok(()) };
        let job = JobId { run, r#gen: found.state.r#gen, group, index };
        let (id, mut trace) = (job.group.clone(), None);
        let answer = self.expire_op(Expire { job: job.clone() }).await?;
        if !matches!(answer, ExpireAnswer::Kept) {
            let group = self.opened_group(run, &id).await.ok().flatten();
            trace = traces::sweep(group.as_ref().map(|group| &*group.info), "lease").context();
            about::of_job(&found.info, &job, trace).in_scope(|| tracing::info!("lease expired"));
            let class = group.map_or("unknown", |group| group.info.class.name());
            metrics::orchestrator().lease_expiries.of(&[class]).inc();
        }
        match answer {
            ExpireAnswer::Kept => {}
            ExpireAnswer::Again { at } => self.nudge(run.partition, at),
            ExpireAnswer::OutcomeUnknown(_) => self.watchers.changed(run),
            ExpireAnswer::Ended(tail) => self.follow(run, tail, trace),
        }
        Ok(())
    }

    async fn fire(self: &Arc<Self>, fire: Fire) -> Result<(), Error> {
        let run = fire.run;
        if let FireAnswer::Fired(tail) = self.fire_op(fire).await? {
            tail.released.iter().for_each(|task| self.forget_opened(&task.job));
            let group = tail.closed.as_ref().and_then(|closed| closed.groups.first());
            let trace = traces::sweep(group.map(|group| &*group.info), "timer").context();
            self.follow(run, tail, trace);
        }
        Ok(())
    }
}
