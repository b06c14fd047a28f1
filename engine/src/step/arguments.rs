//! The arguments of a call: rendered when its node is activated, or again at a claim where
//! they were too large to keep or need what other items gave.

use std::collections::BTreeMap;

use baton_common::Failure;
use baton_common::job::Outcome;
use baton_common::records::GroupInfo;
use serde_json::{Map, Value, json};

use super::Tools;
use super::items::Items;
use super::outcomes::{keep, value_of};
use super::scope::{Base, at_head};
use super::types::name_of;
use super::undo;
use crate::expr::{Scope, Template};
use crate::graph::{ForEach, Graph, ToolCall, Work};
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
pub fn render_args(
    graph: &Graph,
    tools: &Tools,
    state: &RunState,
    group: &GroupInfo,
    recipe: Recipe<'_>,
) -> Result<Value, Failure> {
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
    let deps = match node.each.as_ref().filter(|_| !recipe.needs.is_empty()) {
        Some(each) => deps(each, state, group, recipe, &scope)?,
        None => Map::new(),
    };
    let deps = Value::Object(deps);
    let scope = Scope { item: recipe.item.map(|item| (item_name, item)), deps: Some(&deps), ..scope };
    described(call, tools, &scope)
}

/// What those a task needs kept, by name.
fn deps(
    each: &ForEach,
    state: &RunState,
    group: &GroupInfo,
    recipe: Recipe<'_>,
    scope: &Scope<'_>,
) -> Result<Map<String, Value>, Failure> {
    let items = Items::of(each, scope)?;
    let numbers: BTreeMap<u32, u32> = with_task(&items, state, group).zip(0..).collect();
    let mut kept: BTreeMap<u32, Value> = BTreeMap::new();
    for item in items.order() {
        let Some(outcome) = numbers.get(&item).and_then(|index| recipe.outcomes.get(index)) else { continue };
        let deps = items.deps(each, item, |need| kept.get(&need).cloned());
        let scope = Scope { deps: deps.as_ref(), ..items.scope(each, item, scope) };
        kept.insert(item, keep(each, value_of(Some(outcome.clone()), false)?, &scope)?);
    }
    let by_number: BTreeMap<u32, &Value> =
        kept.iter().filter_map(|(item, kept)| Some((*numbers.get(item)?, kept))).collect();
    let found = recipe.needs.iter().map(|(name, index)| {
        let missing = || Failure::permanent("arguments_failed", format!("{name}, which it needs, is not done"));
        by_number.get(index).map(|kept| (name.clone(), Value::clone(kept))).ok_or_else(missing)
    });
    found.collect()
}

/// The input of a child that needs what tasks beside it gave, made when it starts from the
/// state its group was opened on.
///
/// # Errors
/// When a template fails, what it needs is not there, or `invalid_input`.
pub fn render_input(
    graph: &Graph,
    state: &RunState,
    group: &GroupInfo,
    index: u32,
    (needs, outcomes): (&BTreeMap<String, u32>, &BTreeMap<u32, Outcome>),
) -> Result<Value, Failure> {
    let unknown = || Failure::invalid("unknown_node", format!("no map {} that calls a graph", group.id.node));
    let node = graph.nodes.get(&group.id.node).ok_or_else(unknown)?;
    let (Work::Graph(call), Some(each)) = (&node.work, &node.each) else { return Err(unknown()) };
    let child = graph.children.get(&call.name).ok_or_else(unknown)?;
    let base = Base::new(graph, state);
    let values = at_head(graph, &state.values, &graph.known().reads(&node.path).at_all);
    let scope = base.scope(&values);
    let deps = Value::Object(deps(each, state, group, Recipe { item: None, needs, outcomes }, &scope)?);
    let items = Items::of(each, &scope)?;
    let item = with_task(&items, state, group).nth(index as usize).ok_or_else(unknown)?;
    let scope = Scope { deps: Some(&deps), ..items.scope(each, item, &scope) };
    child.check_input(&object(&call.name, &call.args, &scope)?)
}

/// The items that have a task, in the order of the tasks.
fn with_task<'a>(items: &Items, state: &'a RunState, group: &GroupInfo) -> impl Iterator<Item = u32> + use<'a> {
    let open = state.control.open.get(&group.id);
    (0..items.len()).filter(move |item| open.is_none_or(|open| !open.failed.contains_key(item)))
}

/// A call's arguments: an object.
///
/// # Errors
/// When the template does not render, or to something else.
pub(super) fn arguments(call: &ToolCall, scope: &Scope<'_>) -> Result<Value, Failure> {
    object(&call.name, &call.args, scope)
}

/// As [`arguments`], and the tools that a chat offers are described in it.
///
/// # Errors
/// As there; `unknown_tool`.
pub(super) fn described(call: &ToolCall, tools: &Tools, scope: &Scope<'_>) -> Result<Value, Failure> {
    let mut args = arguments(call, scope)?;
    let described: Vec<Value> = call.offered().map(|offered| description(offered, tools)).collect::<Result<_, _>>()?;
    if let (false, Value::Object(members)) = (described.is_empty(), &mut args) {
        members.insert("tools".to_owned(), described.into());
    }
    Ok(args)
}

/// A tool as a model is told of it: one that workers have, or one that the chat describes.
fn description(offered: &Value, tools: &Tools) -> Result<Value, Failure> {
    let Some(name) = offered.as_str() else {
        return Ok(json!({
            "name": offered["name"], "description": offered["description"], "parameters": offered["input_schema"],
        }));
    };
    let unknown = || Failure::invalid("unknown_tool", format!("no worker announced the tool {name}"));
    let tool = tools.get(name).ok_or_else(unknown)?;
    Ok(json!({"name": tool.name, "description": tool.description, "parameters": tool.args_schema}))
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
