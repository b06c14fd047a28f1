//! Both planes in one process: the same driver, transitions, claims, leases and resumes as
//! a cluster, over a store in one folder, a broker in memory and a direct handle.
//!
//! What the parts do is theirs; this crate only puts them together, starts them and takes
//! them down in order: workers first, so that what they finish is still recorded.

mod options;
pub mod rehearsal;
mod wiring;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use baton_common::WorkerId;
use baton_common::tool::QueueClass;
use baton_orchestrator::{Compute, Orchestrator, Parts};
use baton_worker::builtin::builtin_catalogue;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The first thing a program with embedded workers does in `main`: documents are read by
/// children of it.
pub use baton_tools::child::run_if_asked;
pub use options::{DEATHS_MAX, Options};
use workers::Workers;

/// How long workers may take to announce themselves.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);

/// A cluster in this process.
pub struct Embedded {
    orchestrator: Orchestrator,
    stop_orchestrator: CancellationToken,
    workers: Workers,
    blobs: Option<PathBuf>,
}

impl Embedded {
    /// Starts an orchestrator, an io worker and a cpu worker, and waits until they know
    /// each other. Dropping it without [`Embedded::stop`] leaves everything as a crash does.
    ///
    /// # Errors
    /// When the data folder is in use or cannot be read, or a worker does not start.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let wired = wiring::open(&options).await?;
        let catalogue = Arc::new(builtin_catalogue(options.config.builtin(options.switches.clone())?)?);
        let stop_orchestrator = CancellationToken::new();
        let parts = Parts {
            store: wired.store,
            broker: wired.broker.clone(),
            blobs: wired.blobs,
            settings: options.orchestrator(),
            compute: Compute::threads(options.compute_threads).context("the computing threads did not start")?,
        };
        let orchestrator = Orchestrator::start(parts, stop_orchestrator.clone()).await?;
        let mut workers = Workers::new(&options);
        let mut ids = Vec::new();
        for class in [QueueClass::Io, QueueClass::Cpu] {
            let id = WorkerId::random();
            workers.start(id, class, &orchestrator, &wired.broker, &catalogue)?;
            ids.push(id);
        }
        let embedded = Self { orchestrator, stop_orchestrator, workers, blobs: wired.blobs_folder };
        embedded.wait_for(&ids).await?;
        Ok(embedded)
    }

    /// What callers ask; serve it over gRPC, or call it directly.
    #[must_use]
    pub fn api(&self) -> &Orchestrator {
        &self.orchestrator
    }

    /// The folder in which people find artifacts, unless they are kept in memory.
    #[must_use]
    pub fn blobs_folder(&self) -> Option<&std::path::Path> {
        self.blobs.as_deref()
    }

    /// Lets jobs finish within the grace, then ends everything. What is left goes on at the
    /// next start on the same folder.
    pub async fn stop(mut self) {
        self.workers.stop().await;
        self.stop_orchestrator.cancel();
        if !self.orchestrator.stopped().await {
            tracing::warn!("the grace was over before everything had ended");
        }
        self.orchestrator.broker().close().await;
        self.orchestrator.store().close().await;
    }

    async fn wait_for(&self, ids: &[WorkerId]) -> anyhow::Result<()> {
        let announced = timeout(ANNOUNCED_WITHIN, self.orchestrator.workers_there(ids));
        announced.await.context("the workers did not announce themselves")??;
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.workers.abort();
        self.stop_orchestrator.cancel();
    }
}
