//! What is decided while an activation is open, outside of any superstep: whether a signal
//! is the one a wait is for, and whether a job that is polled is done.

use baton_common::records::GroupInfo;
use baton_common::{Failure, canonical_json};
use serde_json::Value;

use super::references;
use super::scope::{Base, at_head};
use crate::expr::{Expr, Scope};
use crate::graph::{Graph, Node, Wait, Work};
use crate::state::RunState;

/// Whether a signal's value is what a wait is for, given the state its group was opened on
/// (the checkpoint `group.base`) and the item of its task. Names were compared before.
///
/// # Errors
/// When the expression fails: the signal is not for this wait.
pub fn signal_matches(
    graph: &Graph,
    state: &RunState,
    group: &GroupInfo,
    item: Option<&Value>,
    event: &Value,
) -> Result<bool, Failure> {
    let node = node_of(graph, group)?;
    match &node.work {
        Work::Wait(Wait::Signal { matches: Some(matches), .. }) => {
            holds(graph, state, node, matches, Scope { event: Some(event), ..item_of(node, item) })
        }
        _ => Ok(true),
    }
}

/// Whether a job of a node with `poll` is done by what it gave, given the state its group
/// was opened on and the item of its task. Always, for other nodes.
///
/// # Errors
/// When the expression fails: the job fails with it.
pub fn poll_done(
    graph: &Graph,
    state: &RunState,
    group: &GroupInfo,
    item: Option<&Value>,
    output: &Value,
) -> Result<bool, Failure> {
    if group.undo {
        return Ok(true);
    }
    let node = node_of(graph, group)?;
    match &node.poll {
        Some(poll) => holds(graph, state, node, &poll.until, Scope { output: Some(output), ..item_of(node, item) }),
        None => Ok(true),
    }
}

/// The pause before a job is polled again that was called `calls` times, in milliseconds;
/// `None` for nodes without `poll`.
#[must_use]
pub fn poll_pause_ms(graph: &Graph, group: &GroupInfo, calls: u32) -> Option<u64> {
    let poll = graph.nodes.get(&group.id.node)?.poll.as_ref()?;
    let doubled = poll.every_min_ms.saturating_mul(1_u64.checked_shl(calls.saturating_sub(1)).unwrap_or(u64::MAX));
    Some(doubled.min(poll.every_max_ms).max(poll.every_min_ms))
}

fn node_of<'g>(graph: &'g Graph, group: &GroupInfo) -> Result<&'g Node, Failure> {
    let unknown = || Failure::invalid("unknown_node", format!("there is no node {}", group.id.node));
    graph.nodes.get(&group.id.node).ok_or_else(unknown)
}

fn item_of<'a>(node: &'a Node, item: Option<&'a Value>) -> Scope<'a> {
    let name = node.each.as_ref().map_or("item", |each| each.item_name.as_str());
    Scope { item: item.map(|item| (name, item)), ..Scope::default() }
}

fn holds(graph: &Graph, state: &RunState, node: &Node, condition: &Expr, scope: Scope<'_>) -> Result<bool, Failure> {
    let base = Base::new(graph, state);
    let values = at_head(graph, &state.values, &references::under_way(graph, node));
    let Scope { input, state, run, .. } = base.scope(&values);
    match condition.eval(&Scope { input, state, run, ..scope })? {
        Value::Bool(holds) => Ok(holds),
        other => {
            let why = format!("`{}` gives {}, not true or false", condition.text(), canonical_json(&other));
            Err(Failure::invalid("expression_failed", why))
        }
    }
}
