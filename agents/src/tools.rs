//! The agent that calls tools: the model is asked; the tools it asks for run, all at once;
//! what they gave is told to the model in the order of its calls; and so on until it answers
//! without asking.
//!
//! What fails in a call, or is refused by a person, is told to the model too: it may try
//! otherwise. What fails in the model's own call fails the agent.

use std::collections::BTreeSet;

use baton_engine::builder::{Channel, Each, GraphBuilder, Node, Route, Type};
use baton_engine::spec::{AgentSpec, AgentTool, GraphTool};
use serde_json::{Value, json};

use crate::{parts, skills};

/// Something a model may call.
pub(crate) struct Callable {
    /// What the model calls it.
    pub(crate) name: String,
    /// What the model is told of it: an element of a chat's `tools`.
    pub(crate) offer: Value,
    /// One call of it, in the scope of `item`.
    pub(crate) node: Node,
    /// What is kept of each output; all of it unless given.
    pub(crate) keep: Option<&'static str>,
}

/// The graph.
pub(crate) fn graph(spec: &AgentSpec) -> GraphBuilder {
    with(spec, of_tools(spec))
}

/// The tools of an agent, that which reads its skills among them.
pub(crate) fn of_tools(spec: &AgentSpec) -> Vec<Callable> {
    let callable = |tool: &AgentTool| match tool {
        AgentTool::Worker(name) => {
            let node = parts::approved(spec, Node::tool(name, json!("{{ item.arguments }}")));
            Callable { name: name.clone(), offer: json!(name), node: parts::of_call(spec, node), keep: None }
        }
        AgentTool::Graph(tool) => of_graph(spec, tool),
    };
    spec.tools.iter().map(callable).chain(skills::callable(spec)).collect()
}

/// A graph as a tool.
pub(crate) fn of_graph(spec: &AgentSpec, tool: &GraphTool) -> Callable {
    let node = parts::at_once(spec, Node::graph(&tool.graph, json!("{{ item.arguments }}")));
    let offer = json!({"graph": tool.graph, "name": tool.name, "about": tool.about});
    Callable { name: tool.name.clone(), offer, node, keep: None }
}

/// The graph of a model that may call these.
pub(crate) fn with(spec: &AgentSpec, callables: Vec<Callable>) -> GraphBuilder {
    let calls = call_nodes(&callables);
    // Enough for all rounds: these end first.
    let steps = 1 + spec.rounds * (2 + calls.len() as u64);
    let offers: Vec<Value> = callables.iter().map(|callable| callable.offer.clone()).collect();
    let mut graph = skills::with(spec, parts::graph(spec, "state.said"))
        .channel("said", Channel::of(Type::array()).reduce("append"))
        .channel("calls", Channel::of(Type::array()))
        .channel("rounds", Channel::of(Type::integer()).reduce("sum").default(0))
        .channel("results", Channel::of(Type::object()).reduce("merge").default(json!({})))
        .channel("failed", Channel::of(Type::array()).reduce("append"))
        .limit_steps(steps)
        .start("begin")
        .node("begin", Node::local().save("said", "[{'role': 'user', 'content': input.user}]").then("model"))
        .node("model", model(spec, &calls, offers))
        .node("results", results(calls.len()));
    for (name, callable) in calls.iter().zip(callables) {
        graph = graph.node(name, call(callable));
    }
    graph
}

/// One call of the model, and whether it asks for tools.
fn model(spec: &AgentSpec, calls: &[String], offers: Vec<Value>) -> Node {
    // Without any it can still be wrong about that, and is told so.
    let mut own = json!({"route": spec.route, "messages": parts::said(spec), "tools": offers});
    if let Some(system) = skills::system(spec) {
        own["system"] = system;
    }
    let turn = "'role': 'assistant', 'content': output.text";
    let next = if calls.is_empty() { Route::to("results") } else { Route::all(calls.iter().map(String::as_str)) };
    let node = parts::of_call(spec, Node::chat(parts::chat(&spec.chat, own)))
        .save("calls", "has(output.tool_calls) ? output.tool_calls : []")
        .save("said", &format!("has(output.tool_calls) ? [{{{turn}, 'tool_calls': output.tool_calls}}] : [{{{turn}}}]"))
        .save("rounds", "1")
        .then(
            Route::first()
                .when("!has(output.tool_calls)", Route::end())
                .fail_when(
                    &format!("state.rounds >= {}", spec.rounds),
                    &format!("the model asked for tools in each of {} rounds", spec.rounds),
                )
                .code("limit_exceeded")
                .or(next),
        );
    parts::answers(spec, node)
}

/// The calls of one tool: those of a round at once, each by its id.
fn call(callable: Callable) -> Node {
    let each = Each::of(&format!("state.calls.filter(call, call.name == '{}')", callable.name)).by("item.id");
    let each = match callable.keep {
        Some(keep) => each.keep(keep),
        None => each,
    };
    callable
        .node
        .for_each(each)
        .on_item_error(json!("collect"))
        .save("results", "output")
        .save("failed", "errors")
        .then("results")
}

/// What the model is told of its calls, in their order.
fn results(branches: usize) -> Node {
    let own = "state.failed.filter(one, one.key == call.id)";
    let failure = format!("{own}.map(one, {{'code': one.error.code, 'message': one.error.message}})[0]");
    let unknown = "{'code': 'unknown_tool', 'message': 'there is no tool ' + call.name}";
    let content = format!(
        "state.failed.exists(one, one.key == call.id) ? {{'error': {failure}}} : \
         call.id in state.results ? {{'result': state.results[call.id]}} : {{'error': {unknown}}}"
    );
    let said = format!("state.calls.map(call, {{'role': 'tool', 'tool_call_id': call.id, 'content': {content}}})");
    let node = Node::local().save("said", &said).save("results", "null").save("failed", "null").then("model");
    if branches > 1 { node.join_all() } else { node }
}

/// A node's name for each: their own may hold dots, and no two may be the same.
fn call_nodes(callables: &[Callable]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    callables
        .iter()
        .map(|callable| {
            let mut name = format!("call-{}", callable.name.replace('.', "-"));
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        })
        .collect()
}
