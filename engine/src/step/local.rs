//! Runs that are computed within a step of whoever wants their end: those of graphs that
//! have local nodes only. Nobody sees their states, so that none is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::RunEnd;
use baton_common::job::Outcome;
use baton_common::{Failure, Gen, Timestamp};
use serde_json::Value;

use super::activate::Making;
use super::advance::Advance;
use super::child::{self, child_outcome};
use super::items::{Items, dependency_failed};
use super::outcomes::Outcomes;
use super::tasks::Draft;
use super::{Error, Tools};
use crate::graph::{Graph, OnItemError};
use crate::state::{Lineage, RunState};

/// Graphs are computed at once down to this depth, so that no stack is too small for them.
const DEPTH_MAX: u32 = 8;

/// Computes a run from its beginning to its end without making any checkpoint; `None` where
/// its graph has other nodes than local ones.
///
/// # Errors
/// As for [`super::step`].
pub fn compute(graph: &Graph, tools: &Tools, state: RunState, now: Timestamp) -> Result<Option<RunEnd>, Error> {
    if !can_compute(graph) {
        return Ok(None);
    }
    Ok(Advance::private(graph, tools, state, now).start()?.effects.end)
}

/// Whether runs of a graph are computed at once.
pub(super) fn can_compute(graph: &Graph) -> bool {
    graph.known().local_depth.is_some_and(|depth| depth < DEPTH_MAX)
}

/// Computes children one after the other, in the order in which a window of one starts them.
pub(super) fn computed(making: &Making<'_>, graph: &Graph, drafts: BTreeMap<u32, Draft>) -> Outcomes {
    let count = drafts.len();
    let (mut failed_max, mut ok_max) = match making.node.each.as_ref().map(|each| each.on_item_error) {
        None | Some(OnItemError::Fail) => (0, count),
        Some(OnItemError::Collect) => (count, count),
        Some(OnItemError::Quorum(needed)) => (count.saturating_sub(needed as usize), needed as usize),
    };
    let mut ends: BTreeMap<u32, (Outcome, Option<Value>)> = BTreeMap::new();
    let all: Vec<u32> = drafts.keys().copied().collect();
    let mut inputs: BTreeMap<u32, (u32, Draft)> =
        drafts.into_iter().zip(0..).map(|((item, draft), index)| (item, (index, draft))).collect();
    let lineage = Arc::new(lineage(making.place.run));
    for item in making.items.as_ref().map_or_else(|| vec![0], Items::order) {
        let Some((index, Draft::Child(input))) = inputs.remove(&item) else { continue };
        let mut needs =
            making.items.as_ref().and_then(|items| items.needs(item)).into_iter().flat_map(|all| all.values());
        let lacks = needs.any(|need| matches!(ends.get(need), Some((Outcome::Error(_), _)) | None));
        let end = if lacks {
            (Outcome::Error(dependency_failed()), None)
        } else {
            run(making, graph, index, input, &lineage)
        };
        let budget = if matches!(end.0, Outcome::Ok(_)) { &mut ok_max } else { &mut failed_max };
        let is_last = *budget == usize::from(matches!(end.0, Outcome::Ok(_)));
        *budget = budget.saturating_sub(1);
        ends.insert(item, end);
        if is_last {
            break;
        }
    }
    let mut outcomes = Outcomes::default();
    for item in all {
        let (outcome, owed) = ends.remove(&item).unzip();
        outcomes.all.push(outcome);
        outcomes.owed.push(owed.flatten());
    }
    outcomes
}

/// A run of its own, of which only the end is seen. It has a name where an expression asks
/// for that, and its caller's where none does.
fn run(
    making: &Making<'_>,
    graph: &Graph,
    index: u32,
    input: Value,
    lineage: &Arc<Lineage>,
) -> (Outcome, Option<Value>) {
    let around = making.place.around;
    let broken = |why: String| Outcome::Error(Failure::permanent("child_failed", why));
    let state = if graph.known().names_run {
        match RunState::first(&child::info(making, graph, (index, 1), &input, None), Gen(0), None) {
            Ok(state) => state,
            Err(error) => return (broken(error.to_string()), None),
        }
    } else {
        RunState::unseen(making.place.run, input, lineage.clone())
    };
    match Advance::private(graph, around.tools, state, around.now).start() {
        Ok(step) => match step.effects.end {
            Some(end) => {
                let owed = end.owed.clone();
                (child_outcome(&end), owed)
            }
            None => (broken("it waits for something".to_owned()), None),
        },
        Err(error) => (broken(error.to_string()), None),
    }
}

/// What such runs take over from the run that calls them.
fn lineage(caller: &RunState) -> Lineage {
    let root = caller.lineage.root.clone().unwrap_or_else(|| (caller.run, caller.thread.clone()));
    Lineage { root: Some(root), ..Lineage::clone(&caller.lineage) }
}
