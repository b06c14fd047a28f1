//! Calls: of tools, of jobs that nobody waits for, of graphs.

use std::collections::BTreeMap;

use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde_json::{Value, json};

use super::code::{compile, template};
use super::problem::Report;
use super::reader::{Members, kind, members, text, word};
use super::view::View;
use super::yaml::{Content, Node};
use super::{arguments, types};
use crate::graph::{GraphCall, ToolCall};

const EFFECTS: [Effect; 3] = [Effect::Pure, Effect::Idempotent, Effect::Once];

/// A call of a tool, waited for or to take one back.
pub(super) fn tool(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "tool", &["name", "args", "queue", "effect", "key"], &[])?;
    let queue = members.get("queue").map(|node| queue(report, node));
    let effect = members.get("effect").map(|node| effect(report, node, &members, view));
    let key = members.get("key").map(|node| {
        text(report, node, "the key of a tool")?;
        template(report, node, "key", &view.at_once().at("a key"), false)
    });
    let call = call(report, &members, "tool", view)?;
    let (class, capability) = queue.unwrap_or(Some((None, None)))?;
    let effect = match effect {
        Some(effect) => Some(effect?),
        None => None,
    };
    let key = match key {
        Some(key) => Some(key?),
        None => None,
    };
    Some(ToolCall { class, capability, effect, key, ..call })
}

/// A job that nobody waits for.
pub(super) fn notify(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "notify", &["name", "args"], &[])?;
    call(report, &members, "notify", view)
}

/// The job that tells people of a question.
pub(super) fn told(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "via", &["name", "args"], &[])?;
    call(report, &members, "via", view)
}

/// A call of a graph, and what it gives.
pub(super) fn graph(report: &mut Report, node: &Node, view: &View<'_>) -> (Option<GraphCall>, Value) {
    let unknown = json!({});
    let Some(members) = members(report, node, "graph", &["name", "args"], &[]) else { return (None, unknown) };
    let Some(name) = members.get("name") else {
        report.add("missing_key", members.at, "graph needs a name").help("name: research");
        return (None, unknown);
    };
    let Some(name) = text(report, name, "the name of a graph") else { return (None, unknown) };
    let args = match members.get("args") {
        Some(node) => args(report, node, view, false),
        None => compile(report, &json!({}), &[], members.at, "args"),
    };
    // Whatever is wrong with the graph itself was reported where it is read.
    let Some(child) = view.declared.children.get(name) else { return (None, unknown) };
    let what = format!("graph {name}");
    match members.get("args") {
        Some(node) => arguments::check(report, node, &child.input, view, &what),
        None => arguments::check_none(report, members.at, &child.input, &what),
    }
    let mut output = child.output_schema.clone();
    types::close(&mut output);
    (args.map(|args| GraphCall { name: name.to_owned(), args }), output)
}

/// The class, or the capability of a queue of its own: `io`, `cpu`, `cap.gpu`.
fn queue(report: &mut Report, node: &Node) -> Option<(Option<QueueClass>, Option<String>)> {
    let name = text(report, node, "queue")?;
    match (name, name.strip_prefix("cap.")) {
        ("io", _) => Some((Some(QueueClass::Io), None)),
        ("cpu", _) => Some((Some(QueueClass::Cpu), None)),
        (_, Some(capability)) if is_tool_name(capability) && !capability.contains('.') => {
            Some((None, Some(capability.to_owned())))
        }
        _ => {
            report
                .add("unknown_word", node.at, format!("queue is io, cpu or cap.NAME, not {name}"))
                .help("cap.gpu is the queue of workers that announce the capability gpu");
            None
        }
    }
}

fn effect(report: &mut Report, node: &Node, members: &Members<'_>, view: &View<'_>) -> Option<Effect> {
    let name = word(report, node, "effect", &["pure", "idempotent", "once"])?;
    let effect = EFFECTS.into_iter().find(|effect| effect.name() == name)?;
    let known = members.get("name").and_then(|name| match &name.content {
        Content::Scalar { text, .. } => view.declared.tools?.get(text),
        _ => None,
    });
    if let Some(tool) = known
        && effect < tool.effect
    {
        let declared = tool.effect.name();
        report
            .add(
                "wrong_effect",
                node.at,
                format!("{} declares effect {declared}, which {name} would loosen", tool.name),
            )
            .help("a graph may only make an effect stricter: pure, then idempotent, then once");
    }
    Some(effect)
}

/// A map, or one expression that gives an object.
fn args(report: &mut Report, node: &Node, view: &View<'_>, secrets: bool) -> Option<crate::expr::Template> {
    let fits = match &node.content {
        Content::Map(_) => true,
        Content::Scalar { text, .. } => text.starts_with("{{") && text.ends_with("}}"),
        Content::List(_) => false,
    };
    if !fits {
        report.add(
            "wrong_type",
            node.at,
            format!("args is a map or one {{{{ expression }}}}, not {}", kind(&node.content)),
        );
        return None;
    }
    template(report, node, "args", view, secrets)
}

fn call(report: &mut Report, members: &Members<'_>, what: &str, view: &View<'_>) -> Option<ToolCall> {
    let args = match members.get("args") {
        Some(node) => args(report, node, view, true),
        None => compile(report, &json!({}), &[], members.at, "args"),
    };
    let Some(name) = members.get("name") else {
        report.add("missing_key", members.at, format!("{what} needs a name")).help("name: file.list");
        return None;
    };
    let name_text = tool_name(report, name)?;
    if let Some(tools) = view.declared.tools {
        match tools.get(name_text) {
            Some(tool) => match members.get("args") {
                Some(node) => arguments::check(report, node, &tool.args_schema, view, name_text),
                None => arguments::check_none(report, members.at, &tool.args_schema, name_text),
            },
            None => unknown_tool(report, name, name_text, tools),
        }
    }
    Some(ToolCall { name: name_text.to_owned(), args: args?, class: None, effect: None, capability: None, key: None })
}

/// Reports a tool that no worker has.
pub(super) fn check_known(report: &mut Report, node: &Node, name: &str, view: &View<'_>) {
    if let Some(tools) = view.declared.tools.filter(|tools| !tools.contains_key(name)) {
        unknown_tool(report, node, name, tools);
    }
}

/// The name of a tool.
pub(super) fn tool_name<'n>(report: &mut Report, node: &'n Node) -> Option<&'n str> {
    let name = text(report, node, "the name of a tool")?;
    if is_tool_name(name) {
        return Some(name);
    }
    report
        .add("wrong_name", node.at, format!("{name:?} is no name of a tool"))
        .help("tools have dotted names: doc.extract");
    None
}

fn unknown_tool(report: &mut Report, node: &Node, name: &str, tools: &BTreeMap<String, ToolSpec>) {
    report
        .add("unknown_tool", node.at, format!("no worker that was seen lately has the tool {name}"))
        .suggest(name, tools.keys().map(String::as_str));
}

/// Whether it is one.
pub(super) fn is_tool_name(name: &str) -> bool {
    name.len() <= 128
        && name.split('.').all(|part| {
            !part.is_empty() && part.chars().all(|mark| mark.is_ascii_alphanumeric() || mark == '_' || mark == '-')
        })
}
