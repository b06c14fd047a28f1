//! Both planes in this process: one orchestrator and one io worker over the direct handle,
//! on any store and broker.

use std::sync::Arc;

use anyhow::Context as _;
use baton_broker::Broker;
use baton_common::tool::QueueClass;
use baton_common::{RunId, WorkerId};
use baton_control::ControlPlane;
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, SubmitRequest};
use baton_orchestrator::{Compute, Orchestrator, Parts, Settings};
use baton_store::Store;
use baton_worker::builtin::builtin_catalogue;
use baton_worker::config::{FileConfig, ToolSwitches};
use baton_worker::{MemorySpool, Renewal, Worker};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::graph::{GRAPH, input};

/// Threads that compute steps, as in an embedded cluster.
const COMPUTE_THREADS: usize = 2;

/// An orchestrator and a worker.
pub struct Planes {
    /// The orchestrator.
    pub orchestrator: Orchestrator,
    stop_worker: CancellationToken,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Planes {
    /// Starts both, waits until they know each other, and applies the graph.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(store: Arc<dyn Store>, broker: Arc<dyn Broker>, settings: Settings) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let parts = Parts {
            store,
            broker: broker.clone(),
            blobs: baton_orchestrator::wiring::blobs("memory:")?,
            settings,
            compute: Compute::threads(COMPUTE_THREADS)?,
        };
        let orchestrator = Orchestrator::start(parts, stop.clone()).await?;
        let stop_worker = CancellationToken::new();
        let parts = worker_parts(&orchestrator, broker)?;
        let id = parts.id;
        let stopping = stop_worker.clone();
        let worker = tokio::spawn(async move {
            if let Err(error) = Worker::run(parts, stopping).await {
                panic!("the worker ended by itself: {error}");
            }
        });
        orchestrator.workers_there(&[id]).await.context("the worker did not announce itself")?;
        let source = GraphSource { text: GRAPH.to_owned(), name: "loop.yaml".to_owned(), ..GraphSource::default() };
        orchestrator.apply_graph(&Caller::local(), source).await?;
        Ok(Self { orchestrator, stop_worker, stop, worker })
    }

    /// Submits a run of so many turns.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit(&self, turns: usize) -> anyhow::Result<RunId> {
        let request = SubmitRequest {
            graph: GraphRef::Name("loop".to_owned()),
            input: input(turns),
            request_id: None,
            thread: None,
            traceparent: None,
            record: false,
        };
        Ok(self.orchestrator.submit(&Caller::local(), request).await?.run)
    }

    /// Ends both; store and broker stay.
    ///
    /// # Errors
    /// When the worker failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop_worker.cancel();
        self.worker.await?;
        self.stop.cancel();
        self.orchestrator.stopped().await;
        Ok(())
    }
}

fn worker_parts(orchestrator: &Orchestrator, broker: Arc<dyn Broker>) -> anyhow::Result<baton_worker::Parts> {
    let control: Arc<dyn ControlPlane> = Arc::new(orchestrator.clone());
    let direct = control.clone();
    let switches = ToolSwitches { debug_tools: true, ..ToolSwitches::default() };
    let id = WorkerId::random();
    Ok(baton_worker::Parts {
        id,
        place: format!("pid {}", std::process::id()),
        broker,
        control,
        blobs: None,
        catalogue: Arc::new(builtin_catalogue(FileConfig::default().builtin(switches)?)?),
        spool: Arc::new(MemorySpool::default()),
        cpu: baton_worker::CpuPool::Inline,
        renewal: Renewal::Thread(Arc::new(move || direct.clone())),
        seed: id.0,
        settings: baton_worker::Settings::new(QueueClass::Io),
        status: Arc::default(),
    })
}
