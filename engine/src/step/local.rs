//! Runs that are computed within a step of whoever wants their end: those of graphs that
//! have local nodes only. Nobody sees their states, so that none is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::RunEnd;
use baton_common::job::Outcome;
use baton_common::records::RunStatus;
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
    let lineage = lineage(making.place.run);
    // In order of their items.
    let mut all: Vec<(u32, Option<Draft>)> = drafts.into_iter().map(|(item, draft)| (item, Some(draft))).collect();
    let mut ends: Vec<Option<(Outcome, Option<Value>)>> = all.iter().map(|_| None).collect();
    let places: Vec<u32> = all.iter().map(|(item, _)| *item).collect();
    let place = |item: u32| places.binary_search(&item).ok();
    for item in making.items.as_ref().map_or_else(|| vec![0], Items::order) {
        let Some(at) = place(item) else { continue };
        let Some(Draft::Child(input)) = all.get_mut(at).and_then(|(_, draft)| draft.take()) else { continue };
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        let mut needs =
            making.items.as_ref().and_then(|items| items.needs(item)).into_iter().flat_map(|all| all.values());
        let end_of = |need: &u32| place(*need).and_then(|at| ends.get(at)).and_then(Option::as_ref);
        let lacks = needs.any(|need| matches!(end_of(need), Some((Outcome::Error(_), _)) | None));
        let end = if lacks {
            (Outcome::Error(dependency_failed()), None)
        } else {
            run(making, graph, index, input, &lineage)
        };
        let budget = if matches!(end.0, Outcome::Ok(_)) { &mut ok_max } else { &mut failed_max };
        let is_last = *budget == usize::from(matches!(end.0, Outcome::Ok(_)));
        *budget = budget.saturating_sub(1);
        if let Some(place) = ends.get_mut(at) {
            *place = Some(end);
        }
        if is_last {
            break;
        }
    }
    let mut outcomes = Outcomes::default();
    for end in ends {
        let (outcome, owed) = end.unzip();
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
            Some(mut end) => {
                let (owed, output) = (end.owed.take(), end.output.take());
                match output {
                    Some(output) if end.status == RunStatus::Succeeded => (Outcome::value(output), owed),
                    _ => (child_outcome(&end), owed),
                }
            }
            None => (broken("it waits for something".to_owned()), None),
        },
        Err(error) => (broken(error.to_string()), None),
    }
}

/// What such runs take over from the run that calls them.
fn lineage(caller: &RunState) -> Arc<Lineage> {
    if caller.lineage.root.is_some() {
        return caller.lineage.clone();
    }
    let root = Some((caller.run, caller.thread.clone()));
    Arc::new(Lineage { root, ..Lineage::clone(&caller.lineage) })
}
