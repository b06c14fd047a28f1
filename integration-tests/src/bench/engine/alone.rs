//! The engine alone: a workload whose nodes compute in place, from its start to its output:
//! without checkpoints, and with every checkpoint made and kept in memory.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use baton_common::records::{RunInfo, RunStatus};
use baton_common::tool::Priority;
use baton_common::{Actor, Digest, Gen, RunId, TenantId, ThreadId, ThreadKey, Timestamp};
use baton_engine::spec;
use baton_engine::state::RunState;
use baton_engine::step::{self, Event, Tools};

use super::workloads::{Nodes, Workload};

/// A run that was computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Computed {
    /// Without checkpoints.
    pub(super) seconds: f64,
    /// With checkpoints that are kept until the run has ended.
    pub(super) kept_seconds: f64,
    pub(super) checkpoints: usize,
}

/// Computes one run after another; the first is not counted.
///
/// # Errors
/// When the graph is refused or the run does not succeed within one step.
pub(super) fn compute(workload: Workload, rounds: usize) -> anyhow::Result<Vec<Computed>> {
    let text = workload.graph(Nodes::Local);
    let graph = spec::parse(&spec::Source::new(format!("{}.yaml", workload.name()), text));
    let graph = graph.map_err(|problems| anyhow::anyhow!("{}: {problems:?}", workload.name()))?;
    let thread = ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse("bench").context("a thread")? };
    let info = RunInfo {
        id: RunId::for_submit(&thread, None),
        thread,
        actor: Actor::local(),
        graph: graph.hash,
        graph_name: graph.name.clone(),
        request: None,
        body_digest: Digest::default(),
        reader: 1,
        deadline: None,
        priority: Priority::Normal,
        traceparent: None,
        input: workload.input().to_string(),
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    };
    // All of one kind before the other: what a run leaves to its allocator, it meets itself.
    let mut bare = Vec::new();
    for _ in 0..=rounds {
        let began = Instant::now();
        let state = RunState::first(&info, Gen(0), None)?;
        let end = step::compute(&graph, &Tools::new(), state, Timestamp(0))?;
        let seconds = began.elapsed().as_secs_f64();
        bare.push((seconds, end.context("the graph has other nodes than local ones")?));
    }
    let mut all = Vec::new();
    for (seconds, bare) in bare {
        let began = Instant::now();
        let state = RunState::first(&info, Gen(0), None)?;
        let done = step::step(&graph, &Tools::new(), state, Event::Started, Timestamp(0))?;
        let kept_seconds = began.elapsed().as_secs_f64();
        let end = done.effects.end.context("the run did not end in one step")?;
        ensure!(end.status == RunStatus::Succeeded, "{} ended with {:?}", workload.name(), end.failure);
        ensure!(end == bare, "{} ends otherwise without checkpoints", workload.name());
        all.push(Computed { seconds, kept_seconds, checkpoints: done.effects.checkpoints.len() });
    }
    all.remove(0);
    Ok(all)
}
