//! The common supersteps: one local node or one computed call ended, or the run begins, and
//! nothing else is open.
//!
//! They come out as [`super::superstep`] has them, which does whatever is not as plain and
//! all that goes wrong: nothing is changed here before it is known to go well.

use baton_common::job::Outcome;
use baton_common::{GroupId, NodePath, Payload};
use serde_json::Value;

use super::activate::{Activated, Place};
use super::advance::Surroundings;
use super::delta::Delta;
use super::outcomes::{Ended, How};
use super::save::save;
use super::scope::at_head;
use super::superstep::{Made, Turn, enter, then};
use super::{Error, checkpoint, limits};
use crate::expr::Scope;
use crate::graph::{Node, Work};
use crate::state::{Control, Open, RunState};

/// Advances a run by one superstep, if it is of that kind.
///
/// # Errors
/// When the graph lacks a node it names.
pub(super) fn plain(around: &Surroundings<'_>, state: &mut RunState, turn: &Turn) -> Result<Option<Made>, Error> {
    if turn.delta.touched().next().is_some() || !is_alone(&state.control, turn.ended.first().map(|ended| &ended.id)) {
        return Ok(None);
    }
    let (delta, to) = match (turn.ended.as_slice(), turn.arrivals.as_slice()) {
        ([], [start]) => (Delta::default(), Some(start)),
        ([ended], []) => match folded(around, state, ended)? {
            Some(folded) => folded,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let next = to.map(|to| around.node(to)).transpose()?;
    if let Some(next) = next {
        state.control.steps += 1;
        if next.join.is_some() || limits::check(&around.graph.limits, &state.control).is_err() {
            state.control.steps -= 1;
            return Ok(None);
        }
    }
    state.control.open.clear();
    let draft = if around.is_private {
        checkpoint::apply(state, delta);
        None
    } else {
        Some(checkpoint::write(around.graph, state, delta))
    };
    let mut made = Made { draft, ..Made::default() };
    if let Some(next) = next {
        activate(around, state, next, turn.pauses, &mut made);
    }
    Ok(Some(made))
}

/// Activates the node a branch goes on to. What ends at once is noted as open only where
/// somebody may see it.
fn activate(around: &Surroundings<'_>, state: &mut RunState, node: &Node, pauses: bool, made: &mut Made) {
    let activation = state.control.activations.next(around.graph.known().place(&node.path), &node.path);
    let id = GroupId { node: node.path.clone(), activation };
    let mut open = Open::at(state.head);
    let activated = if matches!(node.work, Work::Local) && node.each.is_none() && !pauses {
        Activated::GoesOn(None)
    } else {
        let place = Place { around, run: state, values: &state.values, hash: state.hash, pauses };
        place.activate(node, &id, &mut open)
    };
    match activated {
        Activated::GoesOn(None) if around.is_private => made.ended.push(Ended { id, how: How::Inline }),
        Activated::Computed(outcomes) if around.is_private && node.each.is_none() => {
            made.ended.push(Ended { id, how: How::Computed(outcomes) });
        }
        activated => made.add(enter(&mut state.control, id, open, activated)),
    }
}

type Folded<'g> = (Delta, Option<&'g NodePath>);

/// What an activation that ended writes, and the one node its branch goes to, if to any.
fn folded<'g>(around: &Surroundings<'g>, state: &RunState, ended: &Ended) -> Result<Option<Folded<'g>>, Error> {
    let node = around.node(&ended.id.node)?;
    let Some(output) = output_of(node, &ended.how) else { return Ok(None) };
    let graph = around.graph;
    let values = at_head(graph, &state.values, &graph.known().reads(&node.path).at_fold);
    let scope = Scope { output, ..around.base.scope(&values) };
    let mut delta = Delta { is_private: around.is_private, ..Delta::default() };
    let Ok(seen) = save((graph, &around.base), node, &scope, &state.values, &mut delta) else { return Ok(None) };
    let nodes = if seen.is_empty() {
        then(node, &scope)
    } else {
        then(node, &Scope { state: Some(&values.with(&seen)), ..scope })
    };
    Ok(match nodes {
        Ok([]) => Some((delta, None)),
        Ok([to]) => Some((delta, Some(to))),
        _ => None,
    })
}

/// The output of a local node, which has none, or of a call that was computed and owes
/// nothing; `None` for all else.
fn output_of<'a>(node: &Node, how: &'a How) -> Option<Option<&'a Value>> {
    if node.each.is_some() || node.undo.is_some() {
        return None;
    }
    match (&node.work, how) {
        (Work::Local, How::Inline) => Some(None),
        (Work::Graph(_), How::Computed(outcomes)) => match (outcomes.all.as_slice(), outcomes.owed.as_slice()) {
            ([Some(Outcome::Ok(Payload::Inline(output)))], [None]) => Some(Some(output)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether nobody else is active or waits, and this one was activated as it comes.
fn is_alone(control: &Control, id: Option<&GroupId>) -> bool {
    let as_it_comes = |(own, open): (&GroupId, &Open)| {
        let plain = open.kept.is_empty() && open.late.is_empty() && open.failed.is_empty();
        Some(own) == id && plain && open.approval.is_none()
    };
    let nobody_waits = control.arrived.is_empty() && control.late.is_empty();
    nobody_waits && control.open.len() <= 1 && control.open.iter().all(as_it_comes)
}
