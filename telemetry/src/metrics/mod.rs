//! What a process measures of itself, for Prometheus: which metrics there are is in [`words`],
//! handles to them are made once for each plane, and [`text()`] is the page that is scraped.
//!
//! Measures belong to the process: two orchestrators within one share them. A label whose
//! values come from outside has a bound.

mod process;
mod registry;
mod serve;
pub mod words;

use std::sync::LazyLock;
use std::time::Duration;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::histogram::Histogram;

pub use self::registry::{
    Bounds, CONTENT_TYPE, Counters, FloatCounter, FloatGauge, Fractions, Histograms, Numbers, Series, Sums, Told, text,
};
pub use self::serve::serve;

/// Queues whose names come from tools, and routes.
const NAMES_MAX: usize = 100;
/// Series by tenant.
const PAIRS_MAX: usize = 1_000;

/// What stores measure.
#[derive(Debug)]
pub struct StoreMetrics {
    /// Round trips.
    pub round_trip: Histogram,
    /// Those that failed.
    pub errors: Counter,
}

/// What an orchestrator measures.
#[derive(Debug)]
pub struct OrchestratorMetrics {
    /// Runs by status.
    pub runs: Numbers,
    /// Open questions.
    pub interrupts: Numbers,
    /// The age of the oldest.
    pub interrupt_age: Fractions,
    /// Messages by queue.
    pub queue_messages: Numbers,
    /// Workers by queue.
    pub queue_workers: Numbers,
    /// Jobs in hand by class and queue.
    pub claims: Numbers,
    /// Whether the store answers.
    pub store_up: Numbers,
    /// Whether the broker takes messages.
    pub broker_up: Numbers,
    /// Runs accepted.
    pub submitted: Counter,
    /// Runs ended by status.
    pub ended: Counters,
    /// Steps.
    pub step: Histogram,
    /// Dispatches.
    pub dispatch_lag: Histogram,
    /// Waits by queue.
    pub queue_wait: Histograms,
    /// Leases that ran out, by class.
    pub lease_expiries: Counters,
    /// Publications repeated, by reason.
    pub republications: Counters,
    /// Dead letters by queue.
    pub dead_letters: Counters,
    /// Confirmed publications.
    pub publish: Histogram,
}

/// What whoever has a broker measures.
#[derive(Debug)]
pub struct BrokerMetrics {
    /// Connections lost or not made, messages not taken, questions not answered.
    pub errors: Counter,
}

/// What a worker measures, of models too.
#[derive(Debug)]
pub struct WorkerMetrics {
    /// Slots by class.
    pub slots: Numbers,
    /// Of those in use.
    pub slots_used: Numbers,
    /// Results on disk.
    pub spooled: Numbers,
    /// Attempts by class and outcome.
    pub jobs: Counters,
    /// Their time by class.
    pub job: Histograms,
    /// Tokens by tenant, route and direction.
    pub tokens: Counters,
    /// Dollars by tenant and route.
    pub cost: Sums,
    /// Calls by route and outcome.
    pub calls: Counters,
    /// Their time by route.
    pub call: Histograms,
}

/// What a pool has, and how much of it is taken, by its name.
#[derive(Debug)]
pub struct PoolMetrics {
    used: Numbers,
    size: Numbers,
}

impl PoolMetrics {
    /// Tells how much of a pool is taken.
    pub fn tell(&self, pool: &str, used: usize, size: usize) {
        self.used.set(&[pool], used as u64);
        self.size.set(&[pool], size as u64);
    }
}

static STORE: LazyLock<StoreMetrics> = LazyLock::new(|| StoreMetrics {
    round_trip: registry::histogram(&words::STORE),
    errors: registry::counter(&words::STORE_ERRORS),
});

static ORCHESTRATOR: LazyLock<OrchestratorMetrics> = LazyLock::new(|| OrchestratorMetrics {
    runs: Numbers::new(&words::RUNS),
    interrupts: Numbers::new(&words::INTERRUPTS),
    interrupt_age: Fractions::new(&words::INTERRUPT_AGE),
    queue_messages: Numbers::new(&words::QUEUE_MESSAGES),
    queue_workers: Numbers::new(&words::QUEUE_WORKERS),
    claims: Numbers::new(&words::CLAIMS),
    store_up: Numbers::new(&words::STORE_UP),
    broker_up: Numbers::new(&words::BROKER_UP),
    submitted: registry::counter(&words::RUNS_SUBMITTED),
    ended: Counters::new(&words::RUNS_ENDED, NAMES_MAX),
    step: registry::histogram(&words::STEP),
    dispatch_lag: registry::histogram(&words::DISPATCH_LAG),
    queue_wait: Histograms::new(&words::QUEUE_WAIT, NAMES_MAX),
    lease_expiries: Counters::new(&words::LEASE_EXPIRIES, NAMES_MAX),
    republications: Counters::new(&words::REPUBLICATIONS, NAMES_MAX),
    dead_letters: Counters::new(&words::DEAD_LETTERS, NAMES_MAX),
    publish: registry::histogram(&words::PUBLISH),
});

static BROKER: LazyLock<BrokerMetrics> =
    LazyLock::new(|| BrokerMetrics { errors: registry::counter(&words::BROKER_ERRORS) });

static WORKER: LazyLock<WorkerMetrics> = LazyLock::new(|| WorkerMetrics {
    slots: Numbers::new(&words::SLOTS),
    slots_used: Numbers::new(&words::SLOTS_USED),
    spooled: Numbers::new(&words::SPOOLED),
    jobs: Counters::new(&words::JOBS, NAMES_MAX),
    job: Histograms::new(&words::JOB, NAMES_MAX),
    tokens: Counters::new(&words::MODEL_TOKENS, PAIRS_MAX),
    cost: Sums::new(&words::MODEL_COST, PAIRS_MAX),
    calls: Counters::new(&words::MODEL_CALLS, NAMES_MAX),
    call: Histograms::new(&words::MODEL_CALL, NAMES_MAX),
});

static POOLS: LazyLock<PoolMetrics> =
    LazyLock::new(|| PoolMetrics { used: Numbers::new(&words::POOL_USED), size: Numbers::new(&words::POOL_SIZE) });

/// The measures of stores.
#[must_use]
pub fn store() -> &'static StoreMetrics {
    &STORE
}

/// The measures of who has a broker.
#[must_use]
pub fn broker() -> &'static BrokerMetrics {
    &BROKER
}

/// The measures of orchestrators.
#[must_use]
pub fn orchestrator() -> &'static OrchestratorMetrics {
    &ORCHESTRATOR
}

/// The measures of workers.
#[must_use]
pub fn worker() -> &'static WorkerMetrics {
    &WORKER
}

/// The measures of pools.
#[must_use]
pub fn pools() -> &'static PoolMetrics {
    &POOLS
}

/// A time as metrics want it: in seconds.
#[must_use]
pub fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
