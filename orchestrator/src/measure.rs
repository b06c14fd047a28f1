//! What is told of the whole cluster, looked up when somebody scrapes and not before, and not
//! more often than every few seconds: how many runs are open, what waits, who works. What is
//! measured as it happens is measured where it happens.

use std::collections::{BTreeMap, BTreeSet};

use baton_broker::JOB_QUEUES;
use baton_common::records::RunStatus;
use baton_common::tool::QueueClass;
use baton_store::Counts;
use baton_telemetry::metrics::{self, OrchestratorMetrics};
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant, timeout};

use crate::orchestrator::{Inner, Orchestrator};
use crate::plane::AtWork;

/// What was found is told for so long, however often somebody asks.
const BELIEVED: Duration = Duration::from_secs(5);
/// How long the store and the broker may take to answer before they count as gone.
const WITHIN: Duration = Duration::from_secs(2);

/// When this process looked last. Held while it looks and while it tells, so that nobody is told
/// half of it.
#[derive(Default)]
pub(crate) struct Looked(Mutex<Option<Instant>>);

impl Orchestrator {
    /// The page of metrics. Everything this process measured is on it, other orchestrators in it
    /// among them.
    pub async fn metrics(&self) -> String {
        let inner = &self.inner;
        let mut looked = inner.looked.0.lock().await;
        if looked.is_none_or(|at| at.elapsed() >= BELIEVED) {
            inner.look_around().await;
            *looked = Some(Instant::now());
        }
        inner.tell_pools();
        metrics::text()
    }
}

impl Inner {
    async fn look_around(&self) {
        let told = metrics::orchestrator();
        let (counts, workers) = tokio::join!(timeout(WITHIN, self.store.counts()), timeout(WITHIN, self.at_work()));
        let (counts, workers) = (counts.ok().and_then(Result::ok), workers.ok().and_then(Result::ok));
        told.store_up.set(&[], counts.is_some().into());
        tell_counts(told, counts.as_ref());
        let others = self.lanes.others();
        let queues = tell_workers(told, workers.as_deref(), &others);
        told.broker_up.set(&[], self.broker.ready().into());
        self.tell_queues(told, &queues).await;
    }

    async fn tell_queues(&self, told: &OrchestratorMetrics, queues: &[String]) {
        if !self.broker.ready() {
            told.queue_messages.tell([]);
            return;
        }
        let depths = timeout(WITHIN, join_all(queues.iter().map(|queue| self.depth_of(queue)))).await;
        let depths = depths.unwrap_or_default();
        let failed = depths.iter().filter(|depth| depth.is_err()).count();
        metrics::broker().errors.inc_by(failed as u64);
        let known: Vec<([&str; 1], u64)> = queues
            .iter()
            .zip(depths)
            .filter_map(|(queue, depth)| Some(([queue.as_str()], depth.ok()??.ready)))
            .collect();
        told.queue_messages.tell(known.iter().map(|(queue, ready)| (&queue[..], *ready)));
    }

    fn tell_pools(&self) {
        let pools = metrics::pools();
        let taken = |size: usize, free: usize| (size.saturating_sub(free), size);
        let settings = &self.settings;
        let (used, size) = taken(settings.advances_max.max(1), self.advances.available_permits());
        pools.tell("advances", used, size);
        let (used, size) = taken(settings.sweeps_max.max(1), self.sweeps.available_permits());
        pools.tell("sweeps", used, size);
        if let Some((used, size)) = self.compute.taken() {
            pools.tell("compute", used, size);
        }
    }
}

fn tell_counts(told: &OrchestratorMetrics, counts: Option<&Counts>) {
    let Some(counts) = counts else {
        told.runs.tell([]);
        told.interrupts.tell([]);
        told.interrupt_age.tell(None);
        return;
    };
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_terminal());
    let runs: Vec<([&str; 1], u64)> =
        open.map(|status| ([status.name()], counts.runs.get(&status).copied().unwrap_or(0))).collect();
    told.runs.tell(runs.iter().map(|(status, count)| (&status[..], *count)));
    told.interrupts.tell([(&[][..], counts.questions)]);
    let age = counts.oldest_question.map_or(Duration::ZERO, |at| Duration::from_millis(counts.now.since_ms(at)));
    told.interrupt_age.tell(Some(metrics::seconds(age)));
}

/// Tells who takes from which queue and what is in hand; every queue that is known.
fn tell_workers(told: &OrchestratorMetrics, workers: Option<&[AtWork]>, others: &BTreeSet<String>) -> Vec<String> {
    let mut takers: BTreeMap<&str, u64> =
        JOB_QUEUES.into_iter().chain(others.iter().map(String::as_str)).map(|queue| (queue, 0)).collect();
    let Some(workers) = workers else {
        told.queue_workers.tell([]);
        told.claims.tell([]);
        return takers.into_keys().map(str::to_owned).collect();
    };
    let class_of = |queue: &str| if queue.starts_with("cpu.") { QueueClass::Cpu } else { QueueClass::Io };
    let mut claims: BTreeMap<[&str; 2], u64> =
        JOB_QUEUES.into_iter().map(|queue| ([class_of(queue).name(), queue], 0)).collect();
    for worker in workers {
        worker.queues.iter().for_each(|queue| *takers.entry(queue).or_default() += 1);
        for (queue, count) in &worker.held {
            *claims.entry([worker.class.name(), queue]).or_default() += u64::from(*count);
        }
    }
    let by_queue: Vec<([&str; 1], u64)> = takers.iter().map(|(queue, count)| ([*queue], *count)).collect();
    told.queue_workers.tell(by_queue.iter().map(|(queue, count)| (&queue[..], *count)));
    told.claims.tell(claims.iter().map(|(place, count)| (&place[..], *count)));
    takers.into_keys().map(str::to_owned).collect()
}
