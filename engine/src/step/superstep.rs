//! One advance of a run: fold what ended, write, route, and activate what follows.
//!
//! Nothing is changed until all of it is known to go on: a superstep that fails leaves the
//! state as it was.

use super::activate::{Activated, Place, owner};
use super::advance::Surroundings;
use super::arrivals::{Arrival, Arrivals, Next};
use super::checkpoint::Draft;
use super::delta::Delta;
use super::fold::{Folded, fold};
use super::outcomes::{Ended, How};
use super::routing::{Way, follow};
use super::save::save;
use super::scope::{at_snapshot, error_value};
use super::undo::{Compensation, owed_by};
use super::{Error, approve, checkpoint, limits, snapshot, undo};
use crate::expr::{Members, Scope};
use crate::graph::{Node, OnItemError};
use crate::state::{Control, Open, RunState};
use baton_common::commit::{NewGroup, NodeFailure};
use baton_common::{Failure, GroupId, NodePath};

/// What a superstep begins with.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Activations that ended.
    pub(super) ended: Vec<Ended>,
    /// Nodes a branch arrives at from outside.
    pub(super) arrivals: Vec<NodePath>,
    /// Writes from outside.
    pub(super) delta: Delta,
    /// Whether local nodes are to have a task.
    pub(super) pauses: bool,
}

/// What a superstep leaves.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Its record, all but the control; none where nobody will see it.
    pub(super) draft: Option<Draft>,
    /// Groups to open.
    pub(super) groups: Vec<NewGroup>,
    /// Activations that are no longer wanted.
    pub(super) dropped: Vec<GroupId>,
    /// Activations that ended at once: the next superstep folds them.
    pub(super) ended: Vec<Ended>,
}

/// Why a superstep does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The run fails; what it did in this superstep is to be taken back.
    Failed(NodeFailure, Vec<Compensation>),
    /// State and event do not fit the graph.
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Advances a run by one superstep.
///
/// # Errors
/// When the run fails or the event does not fit; the state is as it was then.
pub(super) fn superstep(around: &Surroundings<'_>, state: &mut RunState, turn: Turn) -> Result<Made, Stop> {
    let Turn { mut ended, arrivals, mut delta, pauses } = turn;
    delta.is_private = around.is_private;
    ended.sort_by(|left, right| left.id.cmp(&right.id));
    let arrivals = arrivals.into_iter().map(Arrival::from).collect();
    // Nobody sees what a private run is like that fails.
    let control = if around.is_private { std::mem::take(&mut state.control) } else { state.control.clone() };
    let mut folding =
        Folding { around, state, control, delta, arrivals, owed: Vec::new(), approved: Vec::new(), failure: None };
    for one in ended {
        folding.settle(one)?;
    }
    let next = folding.next()?;
    let Folding { mut control, mut delta, owed, approved, .. } = folding;
    undo::record(&mut delta, owed);
    snapshot::preserve(around.graph, &mut control, &state.values, &delta);
    state.control = control;
    let draft = if around.is_private {
        checkpoint::apply(state, delta);
        None
    } else {
        Some(checkpoint::write(around.graph, state, delta))
    };
    let mut made = Made { draft, groups: Vec::new(), dropped: next.dropped, ended: Vec::new() };
    for (path, late) in next.nodes {
        let node = around.node(&path)?;
        let activation = state.control.activations.next(around.graph.known().place(&path), &path);
        let id = GroupId { node: path, activation };
        let open = Open { late, ..Open::at(state.head) };
        let hash = state.hash;
        made.add(activate(around, state, node, id, open, hash, pauses));
    }
    for id in approved {
        let node = around.node(&id.node)?;
        let Some(mut open) = state.control.open.remove(&id) else { continue };
        let Some(approval) = &mut open.approval else { continue };
        approval.given = true;
        let hash = approval.hash;
        made.add(activate(around, state, node, id, open, hash, pauses));
    }
    Ok(made)
}

impl Made {
    /// Adds what an activation left.
    pub(super) fn add(&mut self, (groups, ended): (Vec<NewGroup>, Option<Ended>)) {
        self.groups.extend(groups);
        self.ended.extend(ended);
    }
}

/// Activates a node on the head.
pub(super) fn activate(
    around: &Surroundings<'_>,
    state: &mut RunState,
    node: &Node,
    id: GroupId,
    mut open: Open,
    hash: baton_common::Digest,
    pauses: bool,
) -> (Vec<NewGroup>, Option<Ended>) {
    let place = Place { around, run: state, values: &state.values, hash, pauses };
    let activated = place.activate(node, &id, &mut open);
    enter(&mut state.control, id, open, activated)
}

/// Notes an activation as open, under the group it waits for.
pub(super) fn enter(
    control: &mut Control,
    id: GroupId,
    mut open: Open,
    activated: Activated,
) -> (Vec<NewGroup>, Option<Ended>) {
    open.at_once = !matches!(activated, Activated::Waits(_) | Activated::Asks(..));
    let (id, made) = match activated {
        Activated::Waits(group) => (group.info.id.clone(), (vec![group], None)),
        Activated::Asks(group, told) => (group.info.id.clone(), (vec![group, *told], None)),
        Activated::GoesOn(group) => (id.clone(), (group.into_iter().collect(), Some(Ended { id, how: How::Inline }))),
        Activated::Computed(outcomes) => (id.clone(), (Vec::new(), Some(Ended { id, how: How::Computed(outcomes) }))),
        Activated::Failed(failure) => (id.clone(), (Vec::new(), Some(Ended { id, how: How::Failed(failure) }))),
    };
    control.open.insert(id, open);
    made
}

/// A superstep before anything is changed.
struct Folding<'a, 'g> {
    around: &'a Surroundings<'g>,
    state: &'a RunState,
    control: Control,
    delta: Delta,
    arrivals: Vec<Arrival>,
    /// Compensations of what ended.
    owed: Vec<Compensation>,
    /// Activations whose calls were approved.
    approved: Vec<GroupId>,
    /// The first failure that no route handles.
    failure: Option<NodeFailure>,
}

impl Folding<'_, '_> {
    /// Folds one activation: writes and goes on, or follows `on_error`, or fails the run.
    /// Behind a failure only what is to be taken back counts.
    fn settle(&mut self, ended: Ended) -> Result<(), Stop> {
        let (around, state) = (self.around, self.state);
        let graph = around.graph;
        let path = owner(&ended.id.node);
        let node = around.node(&path)?;
        let open = self.control.open.remove(&ended.id);
        let recorded = owed_by(around, state, node, &ended, open.as_ref(), &mut self.owed);
        if self.failure.is_some() {
            return Ok(());
        }
        let values = at_snapshot(graph, &state.values, open.as_ref(), &graph.known().reads(&path).at_fold);
        let scope = around.base.scope(&values);
        let late = open.as_ref().map(|open| open.late.clone()).unwrap_or_default();
        let went = if path == ended.id.node {
            let Folded { result, errors, used } = fold(node, ended.how, open.as_ref(), &scope);
            self.control.tokens = self.control.tokens.saturating_add(used.tokens);
            self.control.cost_nano_usd = self.control.cost_nano_usd.saturating_add(used.nano_usd);
            let scope = Scope { errors: errors.as_ref(), ..scope };
            match recorded.and(result) {
                Ok(output) => self.go_on(node, &values, &Scope { output: output.as_ref(), ..scope }),
                Err(failure) => on_error(node, failure, &scope),
            }
        } else {
            match self.approve(node, &ended.id, ended.how, open.clone()) {
                Ok(()) => Ok(&[][..]),
                Err(failure) => on_error(node, failure, &scope),
            }
        };
        match went {
            Ok(nodes) => {
                self.arrivals.extend(nodes.iter().map(|to| Arrival::new(graph.known(), &path, to, &late)));
            }
            Err(failure) => self.failure = Some(NodeFailure { node: path.to_string(), failure }),
        }
        Ok(())
    }

    fn go_on<'n>(
        &mut self,
        node: &'n Node,
        values: &Members<'_>,
        scope: &Scope<'_>,
    ) -> Result<&'n [NodePath], Failure> {
        let around = (self.around.graph, &self.around.base);
        match save(around, node, scope, &self.state.values, &mut self.delta) {
            Ok(seen) => then(node, &Scope { state: Some(&values.with(&seen)), ..*scope }),
            Err(failure) => on_error(node, failure, &Scope { output: None, ..*scope }),
        }
    }

    /// Takes the decisions about a node's calls over; it is activated again with them.
    fn approve(&mut self, node: &Node, id: &GroupId, how: How, open: Option<Open>) -> Result<(), Failure> {
        let (Some(mut open), Some(outcomes)) = (open, how.outcomes(node)?) else { return Ok(()) };
        let mut refused = approve::decide(&mut open, outcomes);
        let goes_on = node.each.as_ref().is_some_and(|each| each.on_item_error != OnItemError::Fail);
        if !goes_on && let Some((_, failure)) = refused.pop_first() {
            return Err(failure);
        }
        open.failed.append(&mut refused);
        let own = GroupId { node: node.path.clone(), activation: id.activation };
        self.control.open.insert(own.clone(), open);
        self.approved.push(own);
        Ok(())
    }

    /// What is activated now.
    fn next(&mut self) -> Result<Next, Stop> {
        if let Some(failure) = self.failure.take() {
            return Err(Stop::Failed(failure, std::mem::take(&mut self.owed)));
        }
        let next = Arrivals::sort(self.around, std::mem::take(&mut self.arrivals))?.next(&mut self.control);
        self.approved.retain(|id| self.control.open.contains_key(id));
        self.control.steps += next.nodes.len() as u64;
        match limits::check(&self.around.graph.limits, &self.control) {
            Ok(()) => Ok(next),
            Err(failure) => Err(Stop::Failed(failure, std::mem::take(&mut self.owed))),
        }
    }
}

/// Where a node's branch goes.
///
/// # Errors
/// What a `fail` arm says, and what goes wrong in a condition or message.
pub(super) fn then<'g>(node: &'g Node, scope: &Scope<'_>) -> Result<&'g [NodePath], Failure> {
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
