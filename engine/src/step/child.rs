//! Calls of other graphs: each call is a run of its own, or, where its graph has local
//! nodes only, is computed at once ([`super::local`]). Nobody can tell which.

use std::collections::BTreeMap;

use baton_common::commit::{NewTask, NodeFailure, RunEnd};
use baton_common::job::Outcome;
use baton_common::records::{Parent, RunInfo, RunStatus, TaskKind};
use baton_common::{ErrorClass, Failure, Hasher, JobId, RunId, ThreadId, ThreadKey, canonical_json};
use serde_json::Value;

use super::activate::{Activated, Making, numbers};
use super::group::{Kind, PARALLEL_MAX, window};
use super::local;
use super::tasks::{Draft, body};
use crate::graph::Graph;
use crate::state::Open;

/// How a child's end reads for its caller.
#[must_use]
pub fn child_outcome(end: &RunEnd) -> Outcome {
    match (&end.output, &end.failure) {
        (Some(output), _) if end.status == RunStatus::Succeeded => Outcome::value(output.clone()),
        (_, Some(NodeFailure { node, failure })) if !node.is_empty() => {
            Outcome::Error(Failure { message: format!("{node}: {}", failure.message), ..failure.clone() })
        }
        (_, Some(NodeFailure { failure, .. })) => Outcome::Error(failure.clone()),
        _ => Outcome::Error(Failure::new(ErrorClass::Cancelled, "cancelled", "the run it called was cancelled")),
    }
}

/// Activates a node that calls a graph.
///
/// # Errors
/// When there is no such graph, or an input is wrong where no item may fail.
pub(super) fn activate(making: &Making<'_>, name: &str, open: &mut Open) -> Result<Activated, Failure> {
    let unknown = || Failure::invalid("unknown_graph", format!("there is no graph {name}"));
    let graph = making.place.around.graph.children.get(name).ok_or_else(unknown)?;
    let drafts = making.drafts(open)?;
    if local::can_compute(graph) && drafts.values().all(|draft| matches!(draft, Draft::Child(_))) {
        return Ok(Activated::Computed(local::computed(making, graph, drafts)));
    }
    let numbers = numbers(&drafts);
    let share = share(making, drafts.len());
    let mut made = Vec::with_capacity(drafts.len());
    for (item, draft) in drafts {
        let Some(index) = numbers.get(&item) else { continue };
        let (input, needs) = match draft {
            Draft::Child(input) => (input, None),
            Draft::LaterChild => (Value::Null, Some(making.needs(item, &numbers))),
            _ => continue,
        };
        made.push((item, info(making, graph, (*index, share), &input, needs)));
    }
    let mut tasks = Vec::with_capacity(made.len());
    for (item, info) in made {
        let later = info.parent.as_ref().is_some_and(|parent| parent.needs.is_some());
        let of_item = making.items.as_ref().filter(|_| later).and_then(|items| items.list.get(item as usize));
        let given = of_item.map_or_else(|| info.input.clone(), canonical_json);
        let digest = making.origin().digest(&given, &graph.hash.to_string(), 0);
        let needs = making.needs(item, &numbers).into_values().collect();
        tasks.push(NewTask { needs, ..NewTask::new(digest, body(&info)?) });
    }
    making.waits(Kind::without_worker(TaskKind::Child), tasks, open)
}

/// What each of so many children has of the cap on tasks under way.
fn share(making: &Making<'_>, children: usize) -> u32 {
    let cap = making.place.run.lineage.parallel.unwrap_or(PARALLEL_MAX);
    let window = window(making.node.each.as_ref(), Some(cap));
    let at_once = window.min(u32::try_from(children).unwrap_or(u32::MAX)).max(1);
    (cap / at_once).max(1)
}

pub(super) fn info(
    making: &Making<'_>,
    graph: &Graph,
    (index, parallel): (u32, u32),
    input: &Value,
    needs: Option<BTreeMap<String, u32>>,
) -> RunInfo {
    let run = making.place.run;
    let job = JobId { run: run.run, r#gen: run.r#gen, group: making.id.clone(), index };
    let id = RunId::for_child(&job);
    let input = canonical_json(input);
    let own_limit = graph.limits.duration_ms.map(|ms| making.place.around.now.plus_ms(ms));
    let deadlines = [own_limit, run.lineage.deadline];
    let (root, root_thread) = run.lineage.root.clone().unwrap_or_else(|| (run.run, run.thread.clone()));
    RunInfo {
        id,
        thread: ThreadKey { tenant: run.thread.tenant.clone(), thread: ThreadId::beside(id) },
        actor: run.lineage.actor.clone(),
        graph: graph.hash,
        graph_name: graph.name.clone(),
        request: None,
        body_digest: Hasher::new().field("submit").field(graph.hash.to_string()).field(&input).finish(),
        reader: run.lineage.reader,
        deadline: deadlines.into_iter().flatten().min(),
        priority: making.node.priority.unwrap_or(run.priority),
        traceparent: run.lineage.traceparent.clone(),
        input,
        parent: Some(Box::new(Parent { job, root, root_thread, needs })),
        record: run.lineage.record,
        parallel: Some(parallel),
        before: Vec::new(),
    }
}
