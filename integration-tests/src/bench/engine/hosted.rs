//! The same workloads with the full hand-over: each node is a job, published, claimed and
//! recorded, by an orchestrator and a worker in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_common::RunId;
use baton_common::records::RunStatus;
use baton_orchestrator::Settings;
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, SubmitRequest};
use baton_store::Store;
use serde_json::Value;

use super::super::bed::{Bed, Kind};
use super::super::planes::Planes;
use super::super::probe::Probe;
use super::workloads::{Nodes, Workload};

/// Longer than any run takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What runs took.
#[derive(Debug, Clone, Default)]
pub(super) struct Took {
    /// Seconds of each run.
    pub(super) seconds: Vec<f64>,
    /// Jobs that one run recorded.
    pub(super) jobs: u64,
}

/// Runs a workload so many times, one after the other; the first is not counted.
///
/// # Errors
/// When a run does not succeed.
pub(super) async fn one_by_one(kind: Kind, workload: Workload, rounds: usize) -> anyhow::Result<Took> {
    let mut host = Host::start(kind, workload).await?;
    let mut took = Took::default();
    for round in 0..=rounds {
        let (before, input) = (host.probe.steps(), workload.input());
        let began = Instant::now();
        let run = host.submit(workload, input).await?;
        host.succeeded(run).await?;
        if round > 0 {
            took.seconds.push(began.elapsed().as_secs_f64());
            took.jobs = host.probe.steps() - before;
        }
    }
    host.stop().await?;
    Ok(took)
}

/// Steps per second with so many runs of a workload at once, over a while.
///
/// # Errors
/// When a run does not succeed.
pub(super) async fn at_once(kind: Kind, workload: Workload, runs: usize, during: Duration) -> anyhow::Result<f64> {
    let mut host = Host::start(kind, workload).await?;
    for _ in 0..runs {
        host.submit(workload, workload.input()).await?;
    }
    tokio::time::sleep(during / 4).await;
    let (before, began) = (host.probe.steps(), Instant::now());
    while began.elapsed() < during {
        let left = during.saturating_sub(began.elapsed());
        if let Ok(Some(_)) = tokio::time::timeout(left, host.ends.recv()).await {
            host.submit(workload, workload.input()).await?;
        }
    }
    let rate = (host.probe.steps() - before) as f64 / began.elapsed().as_secs_f64();
    host.stop().await?;
    Ok(rate)
}

struct Host {
    bed: Bed,
    planes: Planes,
    probe: Arc<Probe>,
    ends: tokio::sync::mpsc::UnboundedReceiver<RunId>,
}

impl Host {
    async fn start(kind: Kind, workload: Workload) -> anyhow::Result<Self> {
        let (bed, _) = Bed::pair(kind).await?;
        let (probe, ends) = Probe::new(bed.store.clone(), false);
        let store: Arc<dyn Store> = probe.clone();
        let settings = Settings { broker_forgets: kind.broker_forgets(), ..Settings::default() };
        let planes = Planes::start(store, bed.broker.clone(), settings).await?;
        let text = workload.graph(Nodes::Jobs);
        let source = GraphSource { text, name: format!("{}.yaml", workload.name()), ..GraphSource::default() };
        planes.orchestrator.apply_graph(&Caller::local(), source).await?;
        Ok(Self { bed, planes, probe, ends })
    }

    async fn submit(&self, workload: Workload, input: Value) -> anyhow::Result<RunId> {
        let name = workload.name().trim_end_matches(|mark: char| mark.is_ascii_digit() || mark == 'x');
        let request = SubmitRequest {
            graph: GraphRef::Name(name.trim_end_matches('_').to_owned()),
            input,
            request_id: None,
            thread: None,
            traceparent: None,
            record: false,
        };
        Ok(self.planes.orchestrator.submit(&Caller::local(), request).await?.run)
    }

    /// Waits until that very run has ended.
    async fn succeeded(&mut self, run: RunId) -> anyhow::Result<()> {
        loop {
            let ended = tokio::time::timeout(PATIENCE, self.ends.recv()).await.context("the run does not end")?;
            if ended.context("the store is gone")? == run {
                break;
            }
        }
        let found = self.bed.store.run(run).await?.context("the run is gone")?;
        match found.state.status {
            RunStatus::Succeeded => Ok(()),
            other => bail!("the run is {}: {:?}", other.name(), found.end),
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.planes.stop().await?;
        self.bed.broker.close().await;
        self.bed.store.close().await;
        Ok(())
    }
}
