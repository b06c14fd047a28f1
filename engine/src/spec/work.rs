//! What a node does: `tool`, `chat`, `ask`, `notify`, or none of these.

use baton_common::tool::{Effect, QueueClass};

use super::ask::ask;
use super::chat::chat;
use super::code::{compile, template};
use super::problem::Report;
use super::reader::{Members, kind, members, text, word};
use super::view::{Output, View};
use super::yaml::{Content, Node};
use crate::expr::Kind;
use crate::graph::{ToolCall, Work};

/// Keys that say what a node does.
pub(super) const WORKS: [&str; 4] = ["tool", "chat", "ask", "notify"];

/// The work of a node and what its output looks like; `None` where it is wrong.
pub(super) fn work(report: &mut Report, node: &Members<'_>, view: &View<'_>) -> (Option<Work>, Option<Output>) {
    let mut given = WORKS.iter().filter_map(|key| node.entry(key));
    let Some(entry) = given.next() else {
        // What is not supported yet was said once; its output is let be.
        let later = ["agent", "wait", "graph"].iter().any(|key| node.get(key).is_some());
        return if later { (None, Some(Output::Any)) } else { (Some(Work::Local), None) };
    };
    if let Some(second) = given.next() {
        report
            .add("two_works", second.key_at, format!("a node does one thing: {} and {}", entry.key, second.key))
            .help("make two nodes of it");
    }
    match entry.key.as_str() {
        "tool" => (tool(report, &entry.value, view).map(Work::Tool), Some(Output::Any)),
        "notify" => (notify(report, &entry.value, view).map(Work::Notify), None),
        "chat" => {
            let (call, schema) = chat(report, &entry.value, view);
            (call.map(Work::Tool), Some(Output::Chat(CHAT.to_vec(), schema)))
        }
        _ => {
            let (question, output) = ask(report, &entry.value, view);
            (question.map(Work::Ask), Some(output))
        }
    }
}

const CHAT: [(&str, Kind); 5] = [
    ("text", Kind::String),
    ("json", Kind::Any),
    ("usage", Kind::Object),
    ("model", Kind::String),
    ("finish", Kind::String),
];

fn tool(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "tool", &["name", "args", "queue", "effect"], &["key"])?;
    let class = members.get("queue").and_then(|node| word(report, node, "queue", &["io", "cpu"]));
    let effect = members.get("effect").and_then(|node| word(report, node, "effect", &["pure", "idempotent", "once"]));
    let call = call(report, &members, "tool", view)?;
    Some(ToolCall {
        class: class.map(|name| if name == "io" { QueueClass::Io } else { QueueClass::Cpu }),
        effect: effect.map(|name| match name {
            "pure" => Effect::Pure,
            "idempotent" => Effect::Idempotent,
            _ => Effect::Once,
        }),
        ..call
    })
}

fn notify(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "notify", &["name", "args"], &["key", "queue", "effect"])?;
    call(report, &members, "notify", view)
}

fn call(report: &mut Report, members: &Members<'_>, what: &str, view: &View<'_>) -> Option<ToolCall> {
    let args = match members.get("args") {
        Some(node @ Node { content: Content::Map(_), .. }) => template(report, node, "args", view, true),
        Some(node) => {
            report.add("wrong_type", node.at, format!("args is a map, not {}", kind(&node.content)));
            None
        }
        None => compile(report, &serde_json::json!({}), &[], members.at, "args"),
    };
    let Some(name) = members.get("name") else {
        report.add("missing_key", members.at, format!("{what} needs a name")).help("name: file.list");
        return None;
    };
    let name_text = text(report, name, "the name of a tool")?;
    if !is_tool_name(name_text) {
        report
            .add("wrong_name", name.at, format!("{name_text:?} is no name of a tool"))
            .help("tools have dotted names: doc.extract");
        return None;
    }
    Some(ToolCall { name: name_text.to_owned(), args: args?, class: None, effect: None, capability: None, key: None })
}

fn is_tool_name(name: &str) -> bool {
    name.len() <= 128
        && name.split('.').all(|part| {
            !part.is_empty() && part.chars().all(|mark| mark.is_ascii_alphanumeric() || mark == '_' || mark == '-')
        })
}
