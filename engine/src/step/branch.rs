//! The common superstep: one local node ended, nothing else is open, and one branch goes on.
//!
//! It comes out as [`super::superstep`] has it, which does whatever is not as plain and all
//! that goes wrong: nothing is changed here before it is known to go well.

use baton_common::{GroupId, NodePath};

use super::advance::Surroundings;
use super::delta::Delta;
use super::outcomes::{Ended, How};
use super::save::save;
use super::scope::at_head;
use super::superstep::{Made, Turn, activate, then};
use super::{Error, checkpoint, limits};
use crate::expr::Scope;
use crate::graph::{Node, Work};
use crate::state::{Control, Open, RunState};

/// Advances a run by one superstep, if it is of that kind.
///
/// # Errors
/// When the graph lacks a node it names.
pub(super) fn plain(around: &Surroundings<'_>, state: &mut RunState, turn: &Turn) -> Result<Option<Made>, Error> {
    let [Ended { id, how: How::Inline }] = turn.ended.as_slice() else { return Ok(None) };
    if !turn.arrivals.is_empty() || turn.delta.touched().next().is_some() || !is_alone(&state.control, id) {
        return Ok(None);
    }
    let node = around.node(&id.node)?;
    let Some((delta, to)) = folded(around, state, node) else { return Ok(None) };
    let next = around.node(to)?;
    state.control.steps += 1;
    if next.join.is_some() || limits::check(&around.graph.limits, &state.control).is_err() {
        state.control.steps -= 1;
        return Ok(None);
    }
    state.control.open.clear();
    let draft = if around.is_private {
        checkpoint::apply(state, delta);
        None
    } else {
        Some(checkpoint::write(around.graph, state, delta))
    };
    let mut made = Made { draft, ..Made::default() };
    let activation = state.control.activations.next(around.graph.known().place(to), to);
    let id = GroupId { node: to.clone(), activation };
    if is_plain(next) && !turn.pauses {
        if !around.is_private {
            state.control.open.insert(id.clone(), Open { at_once: true, ..Open::at(state.head) });
        }
        made.ended.push(Ended { id, how: How::Inline });
    } else {
        let (open, hash) = (Open::at(state.head), state.hash);
        made.add(activate(around, state, next, id, open, hash, turn.pauses));
    }
    Ok(Some(made))
}

/// What a node writes, and the one node its branch goes to.
fn folded<'g>(around: &Surroundings<'g>, state: &RunState, node: &'g Node) -> Option<(Delta, &'g NodePath)> {
    if !is_plain(node) || node.undo.is_some() {
        return None;
    }
    let graph = around.graph;
    let values = at_head(graph, &state.values, &graph.known().reads(&node.path).at_fold);
    let scope = around.base.scope(&values);
    let mut delta = Delta::default();
    let seen = save((graph, &around.base), node, &scope, &state.values, &mut delta).ok()?;
    let nodes = if seen.is_empty() {
        then(node, &scope)
    } else {
        then(node, &Scope { state: Some(&values.with(&seen)), ..scope })
    };
    match nodes.ok()? {
        [to] => Some((delta, to)),
        _ => None,
    }
}

/// Whether nobody else is active or waits, and this one was activated as it comes.
fn is_alone(control: &Control, id: &GroupId) -> bool {
    let as_it_comes = |(own, open): (&GroupId, &Open)| {
        own == id && open.kept.is_empty() && open.late.is_empty() && open.failed.is_empty() && open.approval.is_none()
    };
    control.arrived.is_empty()
        && control.late.is_empty()
        && control.open.len() <= 1
        && control.open.iter().all(as_it_comes)
}

/// Whether a node only writes and goes on, once.
fn is_plain(node: &Node) -> bool {
    matches!(node.work, Work::Local) && node.each.is_none()
}
