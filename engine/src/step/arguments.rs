//! The items and arguments of a node: rendered when it is activated, or again at a claim
//! where they were too large to keep.

use baton_common::Failure;
use baton_common::records::GroupInfo;
use serde_json::Value;

use super::references;
use super::scope::{Base, at_head};
use super::types::name_of;
use crate::expr::Scope;
use crate::graph::{ForEach, Graph, ToolCall, Work};
use crate::state::RunState;

/// Renders the arguments of one task from the state its group was opened on, as a claim
/// does for an input that was kept as a recipe.
///
/// # Errors
/// When a template fails; it did not when the group was opened.
pub fn render_args(graph: &Graph, state: &RunState, group: &GroupInfo, item: Option<&Value>) -> Result<Value, Failure> {
    let node = graph.nodes.get(&group.id.node);
    let Some((node, Work::Tool(call) | Work::Notify(call))) = node.map(|node| (node, &node.work)) else {
        return Err(Failure::invalid("unknown_node", format!("no node {} that calls a tool", group.id.node)));
    };
    let base = Base::new(graph, state);
    let values = at_head(graph, &state.values, &references::at_activation(graph, node));
    let item_name = node.each.as_ref().map_or("item", |each| each.item_name.as_str());
    arguments(call, &Scope { item: item.map(|item| (item_name, item)), ..base.scope(&values) })
}

/// A call's arguments: an object.
///
/// # Errors
/// When the template does not render, or to something else.
pub(super) fn arguments(call: &ToolCall, scope: &Scope<'_>) -> Result<Value, Failure> {
    match call.args.render(scope)? {
        args @ Value::Object(_) => Ok(args),
        other => {
            let why = format!("arguments of {} are an object, not {}", call.name, name_of(&other));
            Err(Failure::invalid("type_mismatch", why))
        }
    }
}

/// The items a node runs for.
///
/// # Errors
/// When the expression fails or gives no list.
pub(super) fn items(each: &ForEach, scope: &Scope<'_>) -> Result<Vec<Value>, Failure> {
    match each.list.eval(scope)? {
        Value::Array(items) => Ok(items),
        other => {
            let why = format!("`for_each: {}` gives {}, not a list", each.list.text(), name_of(&other));
            Err(Failure::invalid("type_mismatch", why))
        }
    }
}
