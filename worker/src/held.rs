//! The jobs this worker holds: from the grant until their outcome has a final answer.
//! Renewing them is left to `lease`.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use baton_common::job::Grant;
use baton_common::{Fence, JobId, ThreadId, TraceContext};
use baton_control::Hold;
use baton_telemetry::about::{self, About};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a job was told to stop. The first reason stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its lease was lost: another attempt may run.
    Lost,
    /// Its run is being cancelled.
    Cancelled,
    /// Its time is over.
    Timeout,
    /// The worker is leaving.
    Leaving,
}

/// One job in hand. Clones are the same job.
#[derive(Clone)]
pub(crate) struct HeldJob(Arc<InHand>);

/// What there is to know of it.
pub(crate) struct InHand {
    pub(crate) hold: Hold,
    pub(crate) cancel: CancellationToken,
    stop: OnceLock<Stop>,
    since: Instant,
    lease_ms: u64,
    /// Where it came from, without its lane.
    queue: Box<str>,
    /// What log lines about it say.
    pub(crate) about: About,
}

impl Deref for HeldJob {
    type Target = InHand;

    fn deref(&self) -> &InHand {
        &self.0
    }
}

impl HeldJob {
    pub(crate) fn new(grant: &Grant, thread: Option<ThreadId>, queue: &str) -> Self {
        let hold = Hold { thread, ..Hold::of(grant) };
        let about = about(&hold, TraceContext::read(grant.traceparent.as_deref()));
        let (cancel, stop, queue) = (CancellationToken::new(), OnceLock::new(), baton_broker::beside(queue).into());
        let (since, lease_ms) = (Instant::now(), grant.lease_ms);
        Self(Arc::new(InHand { hold, cancel, stop, since, lease_ms, queue, about }))
    }

    /// Tells the job to stop; says whether this was the first to say so.
    pub(crate) fn stop(&self, reason: Stop) -> bool {
        let first = self.stop.set(reason).is_ok();
        self.cancel.cancel();
        first
    }

    /// Why it was told to stop, if it was.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stop.get().copied()
    }
}

/// Log lines about an attempt.
pub(crate) fn about(hold: &Hold, trace: Option<TraceContext>) -> About {
    about::job(&hold.job, hold.attempt, hold.thread.as_ref(), trace)
}

/// All jobs in hand. A job may be held twice, by an attempt that lost its lease and by
/// its successor.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeMap<(JobId, Fence), HeldJob>>>);

impl Held {
    pub(crate) fn add(&self, job: &HeldJob) {
        self.0.lock().insert((job.hold.job.clone(), job.hold.fence), job.clone());
    }

    pub(crate) fn remove(&self, hold: &Hold) {
        self.0.lock().remove(&(hold.job.clone(), hold.fence));
    }

    /// What needs renewal now: all but those granted a moment ago and those whose lease
    /// is lost.
    pub(crate) fn to_renew(&self) -> Vec<HeldJob> {
        let due = |job: &&HeldJob| {
            job.stopped() != Some(Stop::Lost) && job.since.elapsed() >= Duration::from_millis(job.lease_ms / 6)
        };
        self.0.lock().values().filter(due).cloned().collect()
    }

    /// How many are in hand, by the queue they came from.
    pub(crate) fn by_queue(&self) -> BTreeMap<String, u32> {
        let mut queues = BTreeMap::new();
        for job in self.0.lock().values().filter(|job| job.stopped() != Some(Stop::Lost)) {
            *queues.entry(job.queue.to_string()).or_default() += 1;
        }
        queues
    }

    /// Tells every job to stop.
    pub(crate) fn stop_all(&self, reason: Stop) {
        let jobs: Vec<HeldJob> = self.0.lock().values().cloned().collect();
        for job in jobs {
            job.stop(reason);
        }
    }
}
