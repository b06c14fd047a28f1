//! The agent that calls tools: the model is asked; the tools it asks for run, all at once;
//! what they gave is told to the model in the order of its calls; and so on until it answers
//! without asking.
//!
//! What fails in a call, or is refused by a person, is told to the model too: it may try
//! otherwise. What fails in the model's own call fails the agent.

use std::collections::BTreeSet;

use baton_engine::builder::{Channel, Each, GraphBuilder, Node, Route, Type};
use baton_engine::spec::AgentSpec;
use serde_json::{Value, json};

/// The graph.
pub(crate) fn graph(spec: &AgentSpec) -> GraphBuilder {
    let calls = call_nodes(&spec.tools);
    // Enough for all rounds: these end first.
    let steps = 1 + spec.rounds * (2 + calls.len() as u64);
    let mut graph = GraphBuilder::new(&spec.graph).input("user", Type::string());
    if spec.system {
        graph = graph.input("system", Type::string());
    }
    if spec.history {
        graph = graph.input("history", Type::array());
    }
    let asks_for_json = ["fields", "output_schema"].iter().any(|key| spec.chat.contains_key(*key));
    graph = graph
        .output("text", "state.text")
        .output("json", if asks_for_json { "state.json" } else { "null" })
        .output("messages", "state.said")
        .channel("text", Channel::of(Type::string()))
        .channel("said", Channel::of(Type::array()).reduce("append"))
        .channel("calls", Channel::of(Type::array()))
        .channel("rounds", Channel::of(Type::integer()).reduce("sum").default(0))
        .channel("results", Channel::of(Type::object()).reduce("merge").default(json!({})))
        .channel("failed", Channel::of(Type::array()).reduce("append"))
        .limit_steps(steps)
        .start("begin")
        .node("begin", Node::local().save("said", "[{'role': 'user', 'content': input.user}]").then("model"))
        .node("model", model(spec, &calls, asks_for_json))
        .node("results", results(calls.len()));
    if asks_for_json {
        let schema = spec.chat.get("output_schema").filter(|schema| schema.get("type").is_some());
        let kind = schema.map_or_else(Type::object, |schema| Type::schema(schema.clone()));
        graph = graph.channel("json", Channel::of(kind));
    }
    for (name, tool) in calls.iter().zip(&spec.tools) {
        graph = graph.node(name, call(spec, tool));
    }
    graph
}

/// One call of the model, and whether it asks for tools.
fn model(spec: &AgentSpec, calls: &[String], asks_for_json: bool) -> Node {
    let said = if spec.history { "{{ input.history + state.said }}" } else { "{{ state.said }}" };
    let mut chat = spec.chat.clone();
    chat.insert("route".to_owned(), json!(spec.route));
    chat.insert("messages".to_owned(), json!(said));
    // Without any it can still be wrong about that, and is told so.
    chat.insert("tools".to_owned(), json!(spec.tools));
    if spec.system {
        chat.insert("system".to_owned(), json!("{{ input.system }}"));
    }
    let turn = "'role': 'assistant', 'content': output.text";
    let next = if calls.is_empty() { Route::to("results") } else { Route::all(calls.iter().map(String::as_str)) };
    let model = of_call(spec, Node::chat(Value::Object(chat)))
        .save("text", "output.text")
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
    if asks_for_json { model.save("json", "output.json") } else { model }
}

/// The calls of one tool: those of a round at once, each by its id.
fn call(spec: &AgentSpec, tool: &str) -> Node {
    let node = Node::tool(tool, json!("{{ item.arguments }}"))
        .for_each(Each::of(&format!("state.calls.filter(call, call.name == '{tool}')")).by("item.id"))
        .on_item_error(json!("collect"))
        .save("results", "output")
        .save("failed", "errors")
        .then("results");
    let node = match &spec.approve {
        Some(approve) => node.with("approve", approve.clone()),
        None => node,
    };
    of_call(spec, node)
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

/// With the keys of every node that calls something.
fn of_call(spec: &AgentSpec, node: Node) -> Node {
    spec.calls.iter().fold(node, |node, (key, value)| node.with(key, value.clone()))
}

/// A node's name for each tool: their own may hold dots, and no two may be the same.
fn call_nodes(tools: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    tools
        .iter()
        .map(|tool| {
            let mut name = format!("call-{}", tool.replace('.', "-"));
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        })
        .collect()
}
