//! Looks after dispatched tasks that nobody has claimed: whether their messages were lost.
//!
//! Evidence decides and never age alone, or a long queue would be published over and over:
//! the queue is empty, or the broker lost messages, or hours have passed.

use std::sync::Arc;

use baton_common::records::{Task, TaskState};
use baton_common::transition::{Op, Republish};
use baton_common::{GroupId, JobId, RunId, Timestamp};
use baton_store::Error;

use crate::orchestrator::Inner;

/// What is known of the broker's losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    incarnation: u64,
    /// Messages published before then may be lost.
    lost_before: Option<Timestamp>,
}

impl Evidence {
    pub(super) fn new(incarnation: u64) -> Self {
        Self { incarnation, lost_before: None }
    }

    /// Everything dispatched so far is lost.
    pub(super) fn all_lost(now: Timestamp) -> Self {
        Self { incarnation: 0, lost_before: Some(now) }
    }

    /// Notes a broker that began anew.
    pub(super) fn look(&mut self, incarnation: u64, now: Timestamp) {
        if incarnation != self.incarnation {
            *self = Self { incarnation, lost_before: Some(now) };
        }
    }
}

impl Inner {
    pub(super) async fn check(
        self: &Arc<Self>,
        run: RunId,
        id: &GroupId,
        evidence: Evidence,
        now: Timestamp,
    ) -> Result<(), Error> {
        let timings = &self.settings.timings;
        if let Some((group, tasks)) = self.store.group(run, id).await? {
            let dispatched: Vec<(u32, &Task)> =
                (0_u32..).zip(&tasks).filter(|(_, task)| matches!(task.state, TaskState::Dispatched { .. })).collect();
            if !dispatched.is_empty() {
                let empty = self.queue_is_empty(&group.info.queue).await;
                let lost = dispatched.into_iter().filter(|(_, task)| self.is_lost(task, empty, evidence, now));
                self.take_back(run, id, lost).await?;
            }
        }
        let ms = timings.check_after_ms;
        self.change_op(Op::Recheck { run, group: id.clone(), ms }).await?;
        Ok(())
    }

    fn is_lost(&self, task: &Task, queue_empty: bool, evidence: Evidence, now: Timestamp) -> bool {
        let TaskState::Dispatched { at } = task.state else { return false };
        let age_ms = now.since_ms(at);
        let timings = &self.settings.timings;
        let unclaimed = queue_empty && age_ms >= timings.unclaimed_after_ms;
        unclaimed || evidence.lost_before.is_some_and(|before| at <= before) || age_ms >= timings.republish_after_ms
    }

    async fn queue_is_empty(&self, queue: &str) -> bool {
        match self.depth_of(queue).await {
            Ok(depth) => depth.is_none_or(|depth| depth.ready == 0),
            Err(error) => {
                tracing::debug!(queue, %error, "depth unknown");
                false
            }
        }
    }

    /// Makes lost tasks publishable again; their publish entries are due at once.
    async fn take_back(&self, run: RunId, id: &GroupId, lost: impl Iterator<Item = (u32, &Task)>) -> Result<(), Error> {
        let mut found = None;
        for (index, task) in lost {
            if found.is_none() {
                found = self.store.run(run).await?;
            }
            let Some(found) = &found else { return Ok(()) };
            let job = JobId { run, r#gen: found.state.r#gen, group: id.clone(), index };
            tracing::info!(%job, "message believed lost");
            self.change_op(Op::Republish(Republish { job, seq: task.dispatch_seq })).await?;
        }
        if found.is_some() {
            self.nudge_now(run.partition);
        }
        Ok(())
    }
}
