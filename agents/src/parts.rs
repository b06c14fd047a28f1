//! What the graphs of all kinds have: what they take and give, and the keys of their calls.

use baton_engine::builder::{Channel, GraphBuilder, Node, Type};
use baton_engine::spec::AgentSpec;
use serde_json::{Map, Value, json};

/// A graph that takes what the agent is given, and gives the channels `text` and `json` and
/// these messages, an expression.
pub(crate) fn graph(spec: &AgentSpec, messages: &str) -> GraphBuilder {
    let mut graph = GraphBuilder::new(&spec.graph).input("user", Type::string());
    if spec.system {
        graph = graph.input("system", Type::string());
    }
    if spec.history {
        graph = graph.input("history", Type::array());
    }
    graph = graph
        .output("text", "state.text")
        .output("json", if asks_for_json(spec) { "state.json" } else { "null" })
        .output("messages", messages)
        .channel("text", Channel::of(Type::string()));
    if let Some(tokens) = spec.limits.get("tokens").and_then(Value::as_u64) {
        graph = graph.limit_tokens(tokens);
    }
    if let Some(cost) = spec.limits.get("cost_usd").and_then(Value::as_f64) {
        graph = graph.limit_cost_usd(cost);
    }
    if asks_for_json(spec) {
        let schema = spec.chat.get("output_schema").filter(|schema| schema.get("type").is_some());
        let kind = schema.map_or_else(Type::object, |schema| Type::schema(schema.clone()));
        graph = graph.channel("json", Channel::of(kind));
    }
    graph
}

/// What was said where only the question and the answer count.
pub(crate) const QUESTION_AND_ANSWER: &str =
    "[{'role': 'user', 'content': input.user}, {'role': 'assistant', 'content': state.text}]";

/// Saves the answer that the node's output is.
pub(crate) fn answers(spec: &AgentSpec, node: Node) -> Node {
    let node = node.save("text", "output.text");
    if asks_for_json(spec) { node.save("json", "output.json") } else { node }
}

fn asks_for_json(spec: &AgentSpec) -> bool {
    ["fields", "output_schema"].iter().any(|key| spec.chat.contains_key(*key))
}

/// The conversation so far and what was said since, as `messages` of a chat.
pub(crate) fn said(spec: &AgentSpec) -> Value {
    json!(if spec.history { "{{ input.history + state.said }}" } else { "{{ state.said }}" })
}

/// What one call of a model says beside the settings that these calls have.
pub(crate) fn chat(settings: &Map<String, Value>, own: Value) -> Value {
    let mut chat = settings.clone();
    if let Value::Object(own) = own {
        chat.extend(own);
    }
    Value::Object(chat)
}

/// How a model is to answer, without the form of the agent's own answer.
pub(crate) fn without_form(spec: &AgentSpec) -> Map<String, Value> {
    let form = |key: &&String| !["fields", "output_schema"].contains(&key.as_str());
    spec.chat.iter().filter(|(key, _)| form(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// An agent within this one, with its settings beside `kind`, and the keys of calls.
pub(crate) fn agent(spec: &AgentSpec, settings: &Map<String, Value>, own: Value) -> Node {
    let mut agent = settings.clone();
    agent.insert("kind".to_owned(), json!("tools"));
    if let Value::Object(own) = own {
        agent.extend(own);
    }
    approved(spec, of_call(spec, Node::local().with("agent", Value::Object(agent))))
}

/// With the keys of every node that calls something.
pub(crate) fn of_call(spec: &AgentSpec, node: Node) -> Node {
    spec.calls.iter().fold(node, |node, (key, value)| node.with(key, value.clone()))
}

/// With who approves calls of tools.
pub(crate) fn approved(spec: &AgentSpec, node: Node) -> Node {
    spec.approve.iter().fold(node, |node, approve| node.with("approve", approve.clone()))
}

/// With how many of a map run at once.
pub(crate) fn at_once(spec: &AgentSpec, node: Node) -> Node {
    spec.max_parallel.iter().fold(node, |node, most| node.with("max_parallel", json!(most)))
}
