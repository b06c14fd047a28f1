//! Calls of other graphs: each call is a run of its own, or, where its graph has local
//! nodes only, is computed at once. Nobody can tell which.

use std::collections::BTreeMap;

use baton_common::commit::{NewTask, NodeFailure, RunEnd};
use baton_common::job::Outcome;
use baton_common::records::{Parent, RunInfo, RunStatus, TaskKind};
use baton_common::{ErrorClass, Failure, Gen, Hasher, JobId, RunId, ThreadId, ThreadKey, canonical_json};
use serde_json::Value;

use super::activate::{Activated, Making, numbers};
use super::advance::Advance;
use super::group::{Kind, PARALLEL_MAX, window};
use super::items::{Items, dependency_failed};
use super::outcomes::Outcomes;
use super::tasks::{Draft, body};
use crate::graph::{Graph, OnItemError};
use crate::state::{Open, RunState};

/// Graphs are computed at once down to this depth, so that no stack is too small for them.
const DEPTH_MAX: u32 = 8;

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
    let numbers = numbers(&drafts);
    let share = share(making, drafts.len());
    let all_given = drafts.values().all(|draft| matches!(draft, Draft::Child(_)));
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
    if all_given && graph.known().local_depth.is_some_and(|depth| depth < DEPTH_MAX) {
        return Ok(Activated::Computed(computed(making, graph, made)));
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

fn info(
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

/// Computes children one after the other, in the order in which a window of one starts them.
fn computed(making: &Making<'_>, graph: &Graph, made: Vec<(u32, RunInfo)>) -> Outcomes {
    let (mut failed_max, mut ok_max) = match making.node.each.as_ref().map(|each| each.on_item_error) {
        None | Some(OnItemError::Fail) => (0, made.len()),
        Some(OnItemError::Collect) => (made.len(), made.len()),
        Some(OnItemError::Quorum(needed)) => (made.len().saturating_sub(needed as usize), needed as usize),
    };
    let mut ends: BTreeMap<u32, (Outcome, Option<Value>)> = BTreeMap::new();
    let infos: BTreeMap<u32, &RunInfo> = made.iter().map(|(item, info)| (*item, info)).collect();
    for item in making.items.as_ref().map_or_else(|| vec![0], Items::order) {
        let Some(info) = infos.get(&item) else { continue };
        let mut needs =
            making.items.as_ref().and_then(|items| items.needs(item)).into_iter().flat_map(|all| all.values());
        let lacks = needs.any(|need| matches!(ends.get(need), Some((Outcome::Error(_), _)) | None));
        let end = if lacks { (Outcome::Error(dependency_failed()), None) } else { run(making, graph, info) };
        let budget = if matches!(end.0, Outcome::Ok(_)) { &mut ok_max } else { &mut failed_max };
        let is_last = *budget == usize::from(matches!(end.0, Outcome::Ok(_)));
        *budget = budget.saturating_sub(1);
        ends.insert(item, end);
        if is_last {
            break;
        }
    }
    let mut outcomes = Outcomes::default();
    for (item, _) in &made {
        let (outcome, owed) = ends.remove(item).unzip();
        outcomes.all.push(outcome);
        outcomes.owed.push(owed.flatten());
    }
    outcomes
}

fn run(making: &Making<'_>, graph: &Graph, info: &RunInfo) -> (Outcome, Option<Value>) {
    let around = making.place.around;
    let broken = |why: String| Outcome::Error(Failure::permanent("child_failed", why));
    let state = match RunState::first(info, Gen(0), None) {
        Ok(state) => state,
        Err(error) => return (broken(error.to_string()), None),
    };
    match Advance::private(graph, around.tools, state, around.now).start() {
        Ok(step) => match step.effects.end {
            Some(end) => (child_outcome(&end), end.owed),
            None => (broken("it waits for something".to_owned()), None),
        },
        Err(error) => (broken(error.to_string()), None),
    }
}
