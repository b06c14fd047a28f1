//! The handle to one orchestrator: what it is made of, its start and its end.
//!
//! Every task it starts is owned by one tracker and ends with the shutdown token. What the
//! tasks do stands in `driver`, `sweeper`, `publisher` and `plane`.

use std::sync::Arc;

use baton_blobs::BlobStore;
use baton_broker::Broker;
use baton_common::{Digest, GroupId, RunId, TenantId};
use baton_store::Store;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::ApiError;
use crate::clock::Clock;
use crate::compute::Compute;
use crate::driver::Inflight;
use crate::graphs::Graphs;
use crate::keys::Keys;
use crate::load::States;
use crate::lru::Lru;
use crate::marks::Marks;
use crate::measure::Looked;
use crate::progress::Progress;
use crate::publisher::Opened;
use crate::remembered::Remembered;
use crate::settings::Settings;
use crate::sweeper::Nudges;
use crate::watchers::Watchers;

/// Groups whose digests are kept for publishing what a record releases.
const OPENED_MAX: usize = 1_024;

/// Blobs that are not read again to see whether they are what was said.
const PROVEN_MAX: usize = 1_024;

/// What an orchestrator is made of.
pub struct Parts {
    /// The truth.
    pub store: Arc<dyn Store>,
    /// Carries hints.
    pub broker: Arc<dyn Broker>,
    /// Large values and files.
    pub blobs: Arc<dyn BlobStore>,
    /// What it is told.
    pub settings: Settings,
    /// Where steps are computed.
    pub compute: Compute,
}

/// One orchestrator. Clones are handles to the same one.
#[derive(Clone)]
pub struct Orchestrator {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) settings: Settings,
    pub(crate) compute: Compute,
    pub(crate) cluster: Arc<str>,
    pub(crate) keys: Keys,
    pub(crate) graphs: Graphs,
    pub(crate) states: States,
    pub(crate) remembered: Remembered,
    pub(crate) opened: Mutex<Lru<(RunId, GroupId), Arc<Opened>>>,
    /// Blobs that were compared with their references.
    pub(crate) proven: Mutex<Lru<(TenantId, String), Digest>>,
    pub(crate) watchers: Watchers,
    pub(crate) marks: Marks,
    pub(crate) nudges: Nudges,
    pub(crate) clock: Clock,
    pub(crate) progress: Progress,
    pub(crate) inflight: Inflight,
    pub(crate) advances: Arc<Semaphore>,
    pub(crate) sweeps: Arc<Semaphore>,
    pub(crate) looked: Looked,
    pub(crate) announced: Notify,
    pub(crate) quotas: crate::quotas::Known,
    pub(crate) lanes: crate::lanes::Lanes,
    pub(crate) arrivals: crate::arrivals::Arrivals,
    /// Turns of those that publish many messages.
    pub(crate) parts: Semaphore,
    pub(crate) tracker: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    rng: Mutex<StdRng>,
}

impl Orchestrator {
    /// Starts an orchestrator: it serves at once, and ends what it does when `shutdown` is
    /// cancelled. Call [`Orchestrator::stopped`] to wait for that.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn start(parts: Parts, shutdown: CancellationToken) -> Result<Self, ApiError> {
        let cluster = parts.store.cluster().await?;
        let inner = Arc::new(Inner {
            keys: Keys::new(parts.settings.cluster_secret.as_deref(), &cluster),
            cluster: cluster.into(),
            graphs: Graphs::default(),
            states: States::default(),
            remembered: Remembered::default(),
            opened: Mutex::new(Lru::new(OPENED_MAX)),
            proven: Mutex::new(Lru::new(PROVEN_MAX)),
            watchers: Watchers::new(parts.store.live()),
            marks: Marks::default(),
            nudges: Nudges::default(),
            clock: Clock::default(),
            progress: Progress::default(),
            inflight: Inflight::default(),
            advances: Arc::new(Semaphore::new(parts.settings.advances_max.max(1))),
            sweeps: Arc::new(Semaphore::new(parts.settings.sweeps_max.max(1))),
            looked: Looked::default(),
            announced: Notify::new(),
            quotas: crate::quotas::Known::default(),
            lanes: crate::lanes::Lanes::new(parts.settings.lane_share),
            arrivals: crate::arrivals::Arrivals::new(Duration::from_millis(parts.settings.timings.unclaimed_after_ms)),
            parts: Semaphore::new(crate::publisher::PARTS_MAX),
            tracker: TaskTracker::new(),
            shutdown,
            rng: Mutex::new(StdRng::seed_from_u64(parts.settings.seed)),
            store: parts.store,
            broker: parts.broker,
            blobs: parts.blobs,
            settings: parts.settings,
            compute: parts.compute,
        });
        inner.tracker.spawn(crate::marks::flush(inner.clone()));
        inner.tracker.spawn(crate::quotas::keep_up(inner.clone()));
        let heard = inner.clone();
        inner.spawn(async move {
            let _ = heard.shutdown.run_until_cancelled(heard.watchers.hear()).await;
        });
        let told = inner.clone();
        inner.spawn(async move {
            let _ = told.shutdown.run_until_cancelled(told.watchers.follow()).await;
        });
        if inner.settings.sweep {
            inner.tracker.spawn(crate::collector::collect(inner.clone()));
            inner.tracker.spawn(crate::sweeper::sweep(inner.clone()));
            inner.tracker.spawn(crate::sweeper::read_dead_letters(inner.clone()));
        }
        Ok(Self { inner })
    }

    /// Waits until the shutdown token is cancelled and everything under way has ended, or
    /// the grace is over. Whether it ended in time. What is left undone is found by any
    /// other orchestrator.
    pub async fn stopped(&self) -> bool {
        self.inner.shutdown.cancelled().await;
        self.inner.tracker.close();
        let grace = Duration::from_millis(self.inner.settings.grace_ms);
        timeout(grace, self.inner.tracker.wait()).await.is_ok()
    }

    /// The store, for keys and for tests.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.inner.broker
    }

    /// The blob store.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.inner.blobs
    }

    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The store's name, part of every message.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.inner.cluster
    }
}

impl Inner {
    /// Runs a task that this orchestrator owns.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Between half of `ms` and `ms`, by the seed.
    pub(crate) fn jittered(&self, ms: u64) -> u64 {
        self.rng.lock().random_range(ms / 2..=ms)
    }

    /// Sixteen bytes by the seed.
    pub(crate) fn seeded_bytes(&self) -> [u8; 16] {
        self.rng.lock().random()
    }
}
