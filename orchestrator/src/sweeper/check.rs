//! Looks after dispatched tasks that nobody has claimed: whether their messages were lost.
//!
//! Evidence decides and never age alone, or a long queue would be published over and over:
//! the queue is empty, or what was published to it later has arrived, or the broker lost
//! messages, or hours have passed.

use std::sync::Arc;

use baton_broker::lanes_of;
use baton_common::records::{Task, TaskState};
use baton_common::transition::{Op, Republish};
use baton_common::{GroupId, JobId, RunId, Timestamp, TraceContext};
use baton_store::Error;
use baton_telemetry::metrics;

use crate::about;
use crate::orchestrator::Inner;
use crate::traces;

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

    /// Everything dispatched until then is lost.
    pub(super) fn all_lost(until: Timestamp) -> Self {
        Self { incarnation: 0, lost_before: Some(until) }
    }

    /// Notes a broker that began anew.
    pub(super) fn look(&mut self, incarnation: u64, now: Timestamp) {
        if incarnation != self.incarnation {
            *self = Self { incarnation, lost_before: Some(now) };
        }
    }
}

/// What of a queue and its lanes is not in them any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// All of it: they are empty.
    All,
    /// What was published before then.
    Before(Timestamp),
    /// Nothing that is known of.
    Unknown,
}

impl Gone {
    /// What is in neither of two queues.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::All, gone) | (gone, Self::All) => gone,
            (Self::Before(one), Self::Before(another)) => Self::Before(one.min(another)),
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
                let gone = self.gone_from(&group.info.queue).await;
                let why = |task: &Task| self.why_lost(task, gone, evidence, now);
                let lost = dispatched.into_iter().filter_map(|(index, task)| Some((index, task, why(task)?)));
                self.take_back(run, id, traces::of_group(&group.info), lost).await?;
            }
        }
        let ms = timings.check_after_ms;
        self.change_op(Op::Recheck { run, group: id.clone(), ms }).await?;
        Ok(())
    }

    /// Why a message is believed lost, if it is.
    fn why_lost(&self, task: &Task, gone: Gone, evidence: Evidence, now: Timestamp) -> Option<&'static str> {
        let TaskState::Dispatched { at } = task.state else { return None };
        let age_ms = now.since_ms(at);
        let timings = &self.settings.timings;
        let waits = age_ms < timings.unclaimed_after_ms;
        if gone == Gone::All && !waits {
            Some("unclaimed")
        } else if matches!(gone, Gone::Before(moment) if at < moment) && !waits {
            Some("overtaken")
        } else if evidence.lost_before.is_some_and(|before| at <= before) {
            Some("lost")
        } else {
            (age_ms >= timings.republish_after_ms).then_some("old")
        }
    }

    /// A job's message went to its queue or to one of the lanes beside it.
    async fn gone_from(&self, queue: &str) -> Gone {
        let mut gone = Gone::All;
        for place in std::iter::once(queue.to_owned()).chain(lanes_of(queue)) {
            let empty = match self.broker.depth(&place).await {
                Ok(depth) => depth.is_none_or(|depth| depth.ready == 0),
                Err(error) => {
                    tracing::debug!(queue = place, %error, "depth unknown");
                    return Gone::Unknown;
                }
            };
            if !empty {
                gone = gone.and(self.arrivals.all_until(&place).map_or(Gone::Unknown, Gone::Before));
            }
            if gone == Gone::Unknown {
                break;
            }
        }
        gone
    }

    /// Makes lost tasks publishable again; their publish entries are due at once.
    async fn take_back(
        &self,
        run: RunId,
        id: &GroupId,
        trace: Option<TraceContext>,
        lost: impl Iterator<Item = (u32, &Task, &'static str)>,
    ) -> Result<(), Error> {
        let mut found = None;
        for (index, task, why) in lost {
            if found.is_none() {
                found = self.store.run(run).await?;
            }
            let Some(found) = &found else { return Ok(()) };
            let job = JobId { run, r#gen: found.state.r#gen, group: id.clone(), index };
            about::of_job(&found.info, &job, trace).in_scope(|| tracing::info!(why, "message believed lost"));
            if self.change_op(Op::Republish(Republish { job, seq: task.dispatch_seq })).await? {
                metrics::orchestrator().republications.of(&[why]).inc();
            }
        }
        if found.is_some() {
            self.nudge_now(run.partition);
        }
        Ok(())
    }
}
