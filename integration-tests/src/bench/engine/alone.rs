//! The engine alone: a workload whose nodes compute in place, from its start to its output,
//! with every checkpoint made and none kept.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use baton_common::records::{RunInfo, RunStatus};
use baton_common::tool::Priority;
use baton_common::{Actor, Digest, Gen, RunId, TenantId, ThreadId, ThreadKey, Timestamp};
use baton_engine::spec;
use baton_engine::state::RunState;
use baton_engine::step::{Event, Tools, step};

use super::workloads::{Nodes, Workload};

/// A run that was computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Computed {
    pub(super) seconds: f64,
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
    let mut all = Vec::new();
    for _ in 0..=rounds {
        let began = Instant::now();
        let state = RunState::first(&info, Gen(0), None)?;
        let done = step(&graph, &Tools::new(), state, Event::Started, Timestamp(0))?;
        let seconds = began.elapsed().as_secs_f64();
        let end = done.effects.end.context("the run did not end in one step")?;
        ensure!(end.status == RunStatus::Succeeded, "{} ended with {:?}", workload.name(), end.failure);
        all.push(Computed { seconds, checkpoints: done.effects.checkpoints.len() });
    }
    all.remove(0);
    Ok(all)
}
