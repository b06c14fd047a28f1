//! The arguments of a call: rendered when its node is activated, or again at a claim where
//! they were too large to keep or need what other items gave.

use std::collections::BTreeMap;

use baton_common::Failure;
use baton_common::job::Outcome;
use baton_common::records::GroupInfo;
use serde_json::{Map, Value};

use super::items::Items;
use super::outcomes::{keep, value_of};
use super::scope::{Base, at_head};
use super::types::name_of;
use super::undo;
use crate::expr::{Scope, Template};
use crate::graph::{Graph, ToolCall, Work};
use crate::state::RunState;

/// What a claim makes the arguments of: [`baton_common::commit::Input::Recipe`] with the
/// outcomes of what it needs.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The item, for a node with `for_each`.
    pub item: Option<&'a Value>,
    /// The indexes it needs, by the names it knows them by.
    pub needs: &'a BTreeMap<String, u32>,
    /// The outcomes of those indexes.
    pub outcomes: &'a BTreeMap<u32, Outcome>,
}

/// Renders the arguments of one task from the state its group was opened on, as a claim
/// does for an input that was kept as a recipe.
///
/// # Errors
/// When a template fails, or what it needs is not there.
pub fn render_args(graph: &Graph, state: &RunState, group: &GroupInfo, recipe: Recipe<'_>) -> Result<Value, Failure> {
    if group.undo {
        return undo::args_of(state, &group.id);
    }
    let node = graph.nodes.get(&group.id.node);
    let Some((node, Work::Tool(call) | Work::Notify(call))) = node.map(|node| (node, &node.work)) else {
        return Err(Failure::invalid("unknown_node", format!("no node {} that calls a tool", group.id.node)));
    };
    let base = Base::new(graph, state);
    let values = at_head(graph, &state.values, &graph.known().reads(&node.path).at_all);
    let scope = base.scope(&values);
    let item_name = node.each.as_ref().map_or("item", |each| each.item_name.as_str());
    let mut deps = Map::new();
    if let Some(each) = node.each.as_ref().filter(|_| !recipe.needs.is_empty()) {
        let items = Items::of(each, &scope)?;
        let open = state.control.open.get(&group.id);
        let numbers: Vec<u32> =
            (0..items.len()).filter(|item| open.is_none_or(|open| !open.failed.contains_key(item))).collect();
        for (name, index) in recipe.needs {
            let missing = || Failure::permanent("arguments_failed", format!("{name}, which it needs, is not done"));
            let outcome = recipe.outcomes.get(index).cloned().ok_or_else(missing)?;
            let item = numbers.get(*index as usize).copied().ok_or_else(missing)?;
            let kept = keep(each, value_of(Some(outcome), false)?, &items.scope(each, item, &scope))?;
            deps.insert(name.clone(), kept);
        }
    }
    let deps = Value::Object(deps);
    let scope = Scope { item: recipe.item.map(|item| (item_name, item)), deps: Some(&deps), ..scope };
    arguments(call, &scope)
}

/// A call's arguments: an object.
///
/// # Errors
/// When the template does not render, or to something else.
pub(super) fn arguments(call: &ToolCall, scope: &Scope<'_>) -> Result<Value, Failure> {
    object(&call.name, &call.args, scope)
}

/// An object that a template renders to.
///
/// # Errors
/// When it does not render, or to something else.
pub(super) fn object(name: &str, args: &Template, scope: &Scope<'_>) -> Result<Value, Failure> {
    match args.render(scope)? {
        args @ Value::Object(_) => Ok(args),
        other => {
            let why = format!("arguments of {name} are an object, not {}", name_of(&other));
            Err(Failure::invalid("type_mismatch", why))
        }
    }
}
