//! Where a case is played: one orchestrator over a store and a broker in memory, set up so
//! that nothing happens by itself but what is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use baton_common::records::RunInfo;
use baton_common::settings::Timings;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{GraphHash, JobId, NodePath, RequestId, RunId};
use baton_engine::graph::{Graph, ToolCall};
use baton_engine::spec::Source;
use baton_engine::spec::cases::{Case, Segment};
use baton_orchestrator::api::{ApiError, Caller, GraphRef, GraphSource, SubmitRequest};
use baton_orchestrator::{Compute, Orchestrator, Parts, Settings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::played::Played;
use super::prompter::Prompter;
use super::stand_in::StandIn;
use crate::{Options, wiring};

/// Longer than anything that is played: what is put off so far does not happen.
const NEVER_MS: u64 = 100 * 366 * 86_400_000;

/// What a group beside a node has behind its name: the question that approves its calls.
const APPROVE: &str = "/approve";

/// The stage.
pub(super) struct Stage;

impl Stage {
    /// Plays a case to its end.
    pub(super) async fn play(graph: &Graph, source: &Source, case: &Case) -> anyhow::Result<Played> {
        let cast = Arc::new(Cast::of(graph));
        let timings = timings();
        let wired = wiring::open(&Options { timings: timings.clone(), ..Options::default() }).await?;
        let over = CancellationToken::new();
        let _ends = over.clone().drop_guard();
        let parts = Parts {
            store: wired.store,
            broker: wired.broker.clone(),
            blobs: wired.blobs,
            settings: settings(timings, &cast),
            compute: Compute::Inline,
        };
        let orchestrator = Orchestrator::start(parts, over.clone()).await?;
        let stand_in = StandIn::new(orchestrator.clone(), cast.clone(), &case.results);
        stand_in.announce().await?;
        let submitted = orchestrator.submit(&Caller::local(), request(source, case)).await.map_err(refused)?;
        let mut prompter = Prompter::new(orchestrator.clone(), cast.clone(), case, submitted.run);
        let run = tokio::select! {
            biased;
            worked = stand_in.work(wired.broker.as_ref()) => match worked {
                Ok(never) => match never {},
                Err(error) => return Err(error),
            },
            run = prompter.prompt(&stand_in) => run?,
        };
        let problems = prompter.problems().into_iter().chain(stand_in.problems()).collect();
        Played::of(&orchestrator, &cast, run, problems).await
    }
}

/// Looked at where something is due, and kept for ever.
fn timings() -> Timings {
    Timings {
        tick_ms: 1,
        idle_tick_ms: NEVER_MS,
        retention_ms: NEVER_MS,
        thread_retention_ms: NEVER_MS,
        key_retention_ms: NEVER_MS,
        ..Timings::default()
    }
}

fn settings(timings: Timings, cast: &Cast) -> Settings {
    // Secrets reach nobody here: any value that is there will do.
    let variable = std::env::vars_os().find_map(|(name, value)| value.to_str().and(name.into_string().ok()));
    let variable = variable.unwrap_or_default();
    let secrets = cast.secrets.iter().map(|name| (name.clone(), format!("env:{variable}"))).collect();
    Settings {
        timings,
        replica: "rehearsal".to_owned(),
        lease_partitions: false,
        secrets,
        seeded_ids: true,
        ..Settings::default()
    }
}

fn request(source: &Source, case: &Case) -> SubmitRequest {
    let graph = GraphSource { text: source.text.clone(), name: source.file.clone(), files: source.includes.clone() };
    SubmitRequest {
        graph: GraphRef::Source(graph),
        input: case.input.clone(),
        request_id: RequestId::parse("rehearsal").ok(),
        thread: None,
        traceparent: None,
        record: false,
    }
}

fn refused(error: ApiError) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", error.code, error.cause)
}

/// The graphs of a play: who is who in them.
pub(super) struct Cast {
    graphs: BTreeMap<GraphHash, Graph>,
    pub(super) tools: Vec<ToolSpec>,
    pub(super) queues: Vec<String>,
    secrets: Vec<String>,
}

impl Cast {
    /// Everybody in a graph and those it calls.
    fn of(graph: &Graph) -> Self {
        let mut graphs = BTreeMap::new();
        let mut left = vec![graph];
        while let Some(graph) = left.pop() {
            left.extend(graph.children.values().map(AsRef::as_ref));
            graphs.insert(graph.hash, graph.clone());
        }
        let calls: Vec<&ToolCall> = graphs.values().flat_map(calls).collect();
        let mut tools = BTreeMap::new();
        for call in &calls {
            let tool = tools.entry(call.name.clone()).or_insert_with(|| stand_in_for(&call.name));
            // A graph may only tighten what a tool declares.
            if call.effect == Some(Effect::Pure) {
                tool.effect = Effect::Pure;
            }
            for name in call.offers() {
                tools.entry(name.to_owned()).or_insert_with(|| stand_in_for(name));
            }
        }
        let own = baton_broker::JOB_QUEUES.into_iter();
        let mut queues: Vec<String> =
            own.flat_map(|queue| std::iter::once(queue.to_owned()).chain(baton_broker::lanes_of(queue))).collect();
        queues.extend(calls.iter().filter_map(|call| call.capability.as_ref()).map(|name| format!("cap.{name}")));
        queues.sort();
        queues.dedup();
        let mut secrets: Vec<String> = graphs.values().flat_map(|graph| secrets_of(&graph.source)).collect();
        secrets.sort();
        secrets.dedup();
        Self { graphs, tools: tools.into_values().collect(), queues, secrets }
    }

    /// The address of a run's nodes: its callers, outermost first.
    pub(super) async fn address_of(&self, orchestrator: &Orchestrator, run: RunId) -> anyhow::Result<Vec<Segment>> {
        let mut address = Vec::new();
        let mut info = self.info(orchestrator, run).await?;
        while let Some(parent) = info.parent {
            info = self.info(orchestrator, parent.job.run).await?;
            address.push(self.segment(&info, &parent.job));
        }
        address.reverse();
        Ok(address)
    }

    /// The address of a job or question.
    pub(super) async fn address_of_job(
        &self,
        orchestrator: &Orchestrator,
        job: &JobId,
    ) -> anyhow::Result<Vec<Segment>> {
        let mut address = self.address_of(orchestrator, job.run).await?;
        address.push(self.segment(&self.info(orchestrator, job.run).await?, job));
        Ok(address)
    }

    /// The address of a run's nodes, if there is such a run and it is a child.
    pub(super) async fn address_of_child(
        &self,
        orchestrator: &Orchestrator,
        run: RunId,
    ) -> anyhow::Result<Option<Vec<Segment>>> {
        match orchestrator.store().run(run).await? {
            Some(_) => Ok(Some(self.address_of(orchestrator, run).await?)),
            None => Ok(None),
        }
    }

    async fn info(&self, orchestrator: &Orchestrator, run: RunId) -> anyhow::Result<RunInfo> {
        Ok(orchestrator.store().run(run).await?.with_context(|| format!("run {run} is gone"))?.info)
    }

    fn segment(&self, info: &RunInfo, job: &JobId) -> Segment {
        let node = plain(&job.group.node);
        let is_map = NodePath::parse(node).is_ok_and(|path| {
            let node = self.graphs.get(&info.graph).and_then(|graph| graph.nodes.get(&path));
            node.is_some_and(|node| node.each.is_some())
        });
        Segment { node: node.to_owned(), item: is_map.then_some(job.index) }
    }
}

/// A group's node without what marks the approval of its calls.
pub(super) fn plain(path: &NodePath) -> &str {
    path.as_str().strip_suffix(APPROVE).unwrap_or(path.as_str())
}

fn calls(graph: &Graph) -> impl Iterator<Item = &ToolCall> {
    graph.nodes.values().flat_map(baton_engine::graph::Node::calls)
}

/// A tool of that name that takes anything.
fn stand_in_for(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect: Effect::Idempotent,
        description: "Answers as the table says.".to_owned(),
        args_schema: json!({}),
    }
}

/// Names behind `secret.` in a text; one too many does no harm.
fn secrets_of(source: &str) -> Vec<String> {
    let names = source.split("secret.").skip(1);
    let name = |rest: &str| rest.chars().take_while(|mark| mark.is_ascii_alphanumeric() || *mark == '_').collect();
    names.map(name).filter(|name: &String| !name.is_empty()).collect()
}
