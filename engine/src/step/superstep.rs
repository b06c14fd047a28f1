//! One advance of a run: fold what ended, write, route, and activate what follows.
//!
//! Nothing is changed until all of it is known to go on: a superstep that fails leaves the
//! state as it was.

use std::collections::BTreeSet;

use baton_common::commit::{NewGroup, NodeFailure, Segment};
use baton_common::records::Checkpoint;
use baton_common::{Failure, GroupId, NodePath};
use serde_json::Value;

use super::activate::{Activated, Place};
use super::advance::Surroundings;
use super::delta::Delta;
use super::fold::{Ended, Folded, How, fold};
use super::routing::{Way, follow};
use super::save::save;
use super::scope::{at_snapshot, error_value};
use super::{Error, checkpoint, join, limits, references, snapshot};
use crate::expr::Scope;
use crate::graph::{Join, Node};
use crate::state::{Control, Open, RunState};

/// What a superstep begins with.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Activations that ended.
    pub(super) ended: Vec<Ended>,
    /// Nodes a branch arrives at from outside.
    pub(super) arrivals: Vec<NodePath>,
    /// Writes from outside.
    pub(super) delta: Delta,
}

/// What a superstep leaves.
#[derive(Debug)]
pub(super) struct Made {
    /// Its record.
    pub(super) checkpoint: Checkpoint,
    /// New pieces of append-like channels.
    pub(super) pieces: Vec<Segment>,
    /// Groups to open.
    pub(super) groups: Vec<NewGroup>,
    /// Activations that ended at once: the next superstep folds them.
    pub(super) ended: Vec<Ended>,
}

/// Why a superstep does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The run fails.
    Failed(NodeFailure),
    /// State and event do not fit the graph.
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<NodeFailure> for Stop {
    fn from(failure: NodeFailure) -> Self {
        Self::Failed(failure)
    }
}

/// Advances a run by one superstep.
///
/// # Errors
/// When the run fails or the event does not fit; the state is as it was then.
pub(super) fn superstep(around: &Surroundings<'_>, state: &mut RunState, turn: Turn) -> Result<Made, Stop> {
    let Turn { mut ended, arrivals, delta } = turn;
    ended.sort_by(|left, right| left.id.cmp(&right.id));
    let mut folding = Folding { around, state, control: state.control.clone(), delta, arrivals };
    for one in ended {
        folding.settle(one)?;
    }
    let activating = folding.activating()?;
    folding.control.steps += activating.len() as u64;
    limits::check(&around.graph.limits, &folding.control)?;
    let Folding { mut control, delta, .. } = folding;
    snapshot::preserve(around.graph, &mut control, &state.values, &delta);
    state.control = control;
    let mut draft = checkpoint::write(around.graph, state, delta);
    let mut groups = Vec::new();
    let mut ended = Vec::new();
    for node in activating {
        let (group, done) = activate(around, state, node);
        groups.extend(group);
        ended.extend(done);
    }
    let pieces = std::mem::take(&mut draft.pieces);
    Ok(Made { checkpoint: draft.finish(state, around.now)?, pieces, groups, ended })
}

fn activate(around: &Surroundings<'_>, state: &mut RunState, node: &Node) -> (Option<NewGroup>, Option<Ended>) {
    let count = state.control.activations.entry(node.path.clone()).or_default();
    *count += 1;
    let id = GroupId { node: node.path.clone(), activation: *count };
    state.control.open.insert(id.clone(), Open::at(state.head));
    let place = Place {
        graph: around.graph,
        tools: around.tools,
        base: &around.base,
        values: &state.values,
        seq: state.head,
        hash: state.hash,
        priority: state.priority,
        now: around.now,
    };
    match place.activate(node, id.clone()) {
        Activated::Waits(group) => (Some(group), None),
        Activated::GoesOn(group) => (group, Some(Ended { id, how: How::Inline })),
        Activated::Failed(failure) => (None, Some(Ended { id, how: How::Failed(failure) })),
    }
}

/// A superstep before anything is changed.
struct Folding<'a, 'g> {
    around: &'a Surroundings<'g>,
    state: &'a RunState,
    control: Control,
    delta: Delta,
    arrivals: Vec<NodePath>,
}

impl<'g> Folding<'_, 'g> {
    /// Folds one activation: writes and goes on, or follows `on_error`, or fails the run.
    fn settle(&mut self, ended: Ended) -> Result<(), Stop> {
        let graph = self.around.graph;
        let node = self.around.node(&ended.id.node)?;
        let open = self.control.open.remove(&ended.id);
        let values = at_snapshot(graph, &self.state.values, open.as_ref(), &references::at_fold(graph, node));
        let scope = self.around.base.scope(&values);
        let Folded { result, errors, tokens } = fold(node, ended.how, &scope);
        self.control.tokens = self.control.tokens.saturating_add(tokens);
        let scope = Scope { errors: errors.as_ref(), ..scope };
        let went = match result {
            Ok(output) => self.write(node, &Scope { output: output.as_ref(), ..scope }).map(|seen| (output, seen)),
            Err(failure) => Err(failure),
        };
        let nodes = match went {
            Ok((output, seen)) => {
                let values = with_own(&values, seen);
                then(node, &Scope { output: output.as_ref(), state: Some(&values), ..scope })
            }
            Err(failure) => on_error(node, failure, &scope),
        };
        match nodes {
            Ok(nodes) => self.arrivals.extend_from_slice(nodes),
            Err(failure) => return Err(NodeFailure { node: node.path.to_string(), failure }.into()),
        }
        Ok(())
    }

    fn write(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Vec<(String, Value)>, Failure> {
        save(self.around.graph, node, scope, &self.state.values, &mut self.delta)
    }

    /// The nodes that run now: those arrived at, and joins that nothing can reach any more.
    fn activating(&mut self) -> Result<Vec<&'g Node>, Error> {
        let mut activating = Vec::new();
        for path in std::mem::take(&mut self.arrivals) {
            let node = self.around.node(&path)?;
            match node.join {
                Some(Join::All | Join::Any) => {
                    self.control.arrived.insert(path);
                }
                None => activating.push(node),
            }
        }
        let open = self.control.open.keys().map(|id| &id.node);
        let active: BTreeSet<&NodePath> = open.chain(activating.iter().map(|node| &node.path)).collect();
        for path in join::ready(self.around.graph, &self.control.arrived, &active) {
            self.control.arrived.remove(&path);
            activating.push(self.around.node(&path)?);
        }
        activating.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(activating)
    }
}

fn with_own(values: &Value, seen: Vec<(String, Value)>) -> Value {
    let mut values = values.clone();
    if let Value::Object(members) = &mut values {
        members.extend(seen);
    }
    values
}

fn then<'g>(node: &'g Node, scope: &Scope<'_>) -> Result<&'g [NodePath], Failure> {
    match follow(&node.then, scope)? {
        Way::Nodes(nodes) => Ok(nodes),
        Way::Unmatched => Err(Failure::permanent("no_route", "no condition of `then` holds")),
    }
}

fn on_error<'g>(node: &'g Node, failure: Failure, scope: &Scope<'_>) -> Result<&'g [NodePath], Failure> {
    let Some(route) = &node.on_error else { return Err(failure) };
    let error = error_value(node.path.as_str(), &failure);
    match follow(route, &Scope { error: Some(&error), ..*scope })? {
        Way::Nodes(nodes) => Ok(nodes),
        Way::Unmatched => Err(failure),
    }
}
