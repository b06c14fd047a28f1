//! `chat`: one model call, which is a job of the tool `chat`.

use serde_json::{Map, Value};

use super::code::{compile, template};
use super::offer;
use super::problem::Report;
use super::reader::{count, kind, literal, members, text};
use super::types::{fields, json_schema, object};
use super::view::View;
use super::yaml::{Content, Node};
use crate::graph::ToolCall;

const KEYS: [&str; 11] = [
    "route",
    "system",
    "user",
    "messages",
    "passages",
    "images",
    "tools",
    "fields",
    "output_schema",
    "temperature",
    "max_tokens",
];
/// Arguments that are templates.
const TEMPLATES: [&str; 5] = ["system", "user", "messages", "passages", "images"];
/// Arguments that are taken as they are.
const LITERALS: [&str; 5] = ["route", "tools", "output_schema", "temperature", "max_tokens"];
const TOKENS_MAX: u64 = 10_000_000;

/// The call, and the schema of `output.json` where one is asked for.
pub(super) fn chat(report: &mut Report, node: &Node, view: &View<'_>) -> (Option<ToolCall>, Option<Value>) {
    let Some(members) = members(report, node, "chat", &KEYS, &[]) else { return (None, None) };
    let mut args = Map::new();
    let mut sound = true;
    match members.get("route") {
        Some(route) => match text(report, route, "route") {
            Some(name) => _ = args.insert("route".to_owned(), Value::String(name.to_owned())),
            None => sound = false,
        },
        None => {
            report.add("missing_key", members.at, "chat needs a route").help("route: writer");
            sound = false;
        }
    }
    if members.get("user").is_none() && members.get("messages").is_none() {
        report.add("missing_key", members.at, "chat needs user or messages").help("user: \"{{ input.question }}\"");
        sound = false;
    }
    for key in TEMPLATES {
        let Some(node) = members.get(key) else { continue };
        sound &= is_of_shape(report, key, node);
        match template(report, node, key, view, false) {
            Some(template) => _ = args.insert(key.to_owned(), template.source().clone()),
            None => sound = false,
        }
    }
    if let Some(node) = members.get("tools") {
        match offer::offered(report, node, view) {
            Some(tools) => _ = args.insert("tools".to_owned(), tools.into()),
            None => sound = false,
        }
    }
    let schema = output_schema(report, members.get("fields"), members.get("output_schema"));
    args.extend(schema.iter().map(|schema| ("output_schema".to_owned(), schema.clone())));
    if let Some(node) = members.get("temperature") {
        match literal(report, node).filter(|value| value.as_f64().is_some_and(|value| (0.0..=2.0).contains(&value))) {
            Some(value) => _ = args.insert("temperature".to_owned(), value),
            None => {
                report.add("wrong_number", node.at, "temperature is a number from 0 to 2");
                sound = false;
            }
        }
    }
    if let Some(tokens) = members.get("max_tokens") {
        match count(report, tokens, "max_tokens", (1, TOKENS_MAX)) {
            Some(tokens) => _ = args.insert("max_tokens".to_owned(), tokens.into()),
            None => sound = false,
        }
    }
    let args = compile(report, &Value::Object(args), &LITERALS, node.at, "chat");
    let call = args.filter(|_| sound).map(|args| ToolCall {
        name: "chat".to_owned(),
        args,
        class: None,
        effect: None,
        capability: None,
        key: None,
    });
    (call, schema)
}

fn output_schema(report: &mut Report, fields_node: Option<&Node>, schema: Option<&Node>) -> Option<Value> {
    match (fields_node, schema) {
        (Some(_), Some(schema)) => {
            report.add("two_forms", schema.at, "chat has fields or output_schema, not both");
            None
        }
        (Some(node), None) => Some(object(&fields(report, node, "fields", &[]))),
        (None, Some(node)) => json_schema(report, node, "output_schema"),
        (None, None) => None,
    }
}

/// `system` and `user` are texts; `messages`, `passages` and `images` lists or one expression.
fn is_of_shape(report: &mut Report, key: &str, node: &Node) -> bool {
    let fits = match (&node.content, key) {
        (Content::Scalar { .. }, "system" | "user") => text(report, node, key).is_some(),
        (Content::Scalar { text, .. }, _) => text.starts_with("{{") && text.ends_with("}}"),
        (Content::List(_), "messages" | "passages" | "images") => true,
        _ => false,
    };
    if !fits && !matches!((&node.content, key), (Content::Scalar { .. }, "system" | "user")) {
        let wanted = if ["system", "user"].contains(&key) { "a text" } else { "a list or one {{ expression }}" };
        report.add("wrong_type", node.at, format!("{key} is {wanted}, not {}", kind(&node.content)));
    }
    fits
}
