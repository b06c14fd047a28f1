//! What a node does: `tool`, `chat`, `ask`, `wait`, `graph`, `notify`, or none of these; and
//! which keys fit what.

use serde_json::{Value, json};

use super::ask::ask;
use super::call;
use super::chat::chat;
use super::problem::Report;
use super::reader::{Members, unsupported};
use super::view::{View, closed};
use super::wait::wait;
use crate::graph::Work;

/// Keys that say what a node does.
pub(super) const WORKS: [&str; 6] = ["tool", "chat", "ask", "wait", "graph", "notify"];

/// Keys that fit some work only, and which.
const FITS: [(&str, &[&str]); 9] = [
    ("for_each", &["tool", "chat", "ask", "wait", "graph"]),
    ("deadline", &["tool", "chat", "ask", "wait", "graph"]),
    ("priority", &["tool", "chat", "graph", "notify"]),
    ("retry", &["tool", "chat", "notify"]),
    ("timeout", &["tool", "chat", "notify"]),
    ("undo", &["tool", "chat", "graph"]),
    ("cache", &["tool", "chat"]),
    ("poll", &["tool"]),
    ("approve", &["tool"]),
];

/// The work of a node and what its output looks like; `None` where it is wrong, or where it
/// has none.
pub(super) fn work(report: &mut Report, node: &Members<'_>, view: &View<'_>) -> (Option<Work>, Option<Value>) {
    let mut given = WORKS.iter().filter_map(|key| node.entry(key));
    let agent = node.entry("agent");
    if let Some(agent) = agent.filter(|_| !view.declared.agents) {
        unsupported(report, agent.key_at, "agent");
    }
    let Some(entry) = given.next() else {
        // What is wrong with an agent was said once; its output is let be.
        return if agent.is_some() { (None, Some(json!({}))) } else { (Some(Work::Local), None) };
    };
    if let Some(second) = given.next().or(agent) {
        report
            .add("two_works", second.key_at, format!("a node does one thing: {} and {}", entry.key, second.key))
            .help("make two nodes of it");
    }
    match entry.key.as_str() {
        "tool" => (call::tool(report, &entry.value, view).map(Work::Tool), Some(json!({}))),
        "notify" => (call::notify(report, &entry.value, view).map(Work::Notify), None),
        "chat" => {
            let (call, schema) = chat(report, &entry.value, view);
            let output = chat_output(schema, entry.value.get("tools").is_some());
            (call.map(Work::Tool), Some(output))
        }
        "wait" => {
            let wait = wait(report, &entry.value, view);
            // Time gives nothing.
            let timer = entry.value.get("signal").is_none() && wait.is_some();
            (wait.map(Work::Wait), (!timer).then(|| json!({})))
        }
        "graph" => {
            let (call, output) = call::graph(report, &entry.value, view);
            (call.map(Work::Graph), Some(output))
        }
        _ => {
            let (question, output) = ask(report, &entry.value, view);
            (question.map(Work::Ask), Some(output))
        }
    }
}

fn chat_output(schema: Option<Value>, has_tools: bool) -> Value {
    let mut output = closed([
        ("text", json!({"type": "string"})),
        ("json", schema.unwrap_or_else(|| json!({}))),
        ("usage", json!({"type": "object"})),
        ("model", json!({"type": "string"})),
        ("finish", json!({"type": "string"})),
    ]);
    if has_tools {
        let name = json!({"type": "string"});
        let call = closed([("id", name.clone()), ("name", name), ("arguments", json!({}))]);
        output["properties"]["tool_calls"] = json!({"type": "array", "items": call});
    }
    output
}

/// Reports keys that do not fit the work.
pub(super) fn check_use(report: &mut Report, node: &Members<'_>) {
    let is_map = node.get("for_each").is_some();
    for key in ["on_item_error", "max_parallel"] {
        if let (false, Some(entry)) = (is_map, node.entry(key)) {
            report.add("needs_for_each", entry.key_at, format!("{key} needs for_each"));
        }
    }
    if node.get("agent").is_some() {
        return;
    }
    let work = WORKS.into_iter().find(|key| node.get(key).is_some());
    for (key, works) in FITS {
        let fits = work.is_some_and(|work| works.contains(&work));
        if let (false, Some(entry)) = (fits, node.entry(key)) {
            let who = match work {
                Some("ask") => "a node that asks",
                Some("wait") => "a node that waits",
                Some("graph") => "a node that calls a graph",
                Some("notify") => "a node that notifies",
                Some("chat") => "a chat",
                Some(_) => "this node",
                None => "a node without work",
            };
            let problem = report.add("no_use", entry.key_at, format!("{who} has no use for {key}"));
            match (work, key) {
                (Some("ask" | "wait"), "timeout") => _ = problem.help("expires limits how long it waits"),
                (Some("graph"), "timeout") => {
                    _ = problem.help("give the node a deadline, or the graph it calls limits: { duration: … }");
                }
                (Some("graph"), "retry") => _ = problem.help("the nodes of the graph it calls may have it"),
                (Some("wait"), "poll") => _ = problem.help("poll calls a tool again and again"),
                _ => {}
            }
        }
    }
}
