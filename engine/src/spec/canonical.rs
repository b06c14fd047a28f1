//! The canonical text of a graph: what it includes inlined, as JSON with sorted keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::{Place, Report};
use super::scalar::{Scalar, scalar};
use super::yaml::{Content, Entry, Node};

/// The paths of `{ file: … }` in the places that may include: `system`, `user` and
/// `messages` of a chat.
pub(super) fn includes(root: &Node) -> Vec<String> {
    let mut root = root.clone();
    let mut paths = Vec::new();
    places(&mut root, &mut |node| {
        if let Some(path) = file_of(node).filter(|path| is_inside(path)) {
            paths.push(path.to_owned());
        }
    });
    paths.sort();
    paths.dedup();
    paths
}

/// Puts the texts in the place of `{ file: … }`.
pub(super) fn inline(root: &mut Node, texts: &BTreeMap<String, String>, report: &mut Report) {
    places(root, &mut |node| {
        let Some(path) = file_of(node) else { return };
        let text = texts.get(path).filter(|_| is_inside(path));
        match text {
            Some(text) => node.content = Content::Scalar { text: text.clone(), quoted: true },
            None if is_inside(path) => {
                report.add("no_file", node.at, format!("{path} was not found")).help("paths are relative to the graph");
                node.content = Content::Scalar { text: String::new(), quoted: true };
            }
            None => {
                report
                    .add("no_file", node.at, format!("{path} leads out of the graph's folder"))
                    .help("paths are relative to the graph, with / between names and without ..");
                node.content = Content::Scalar { text: String::new(), quoted: true };
            }
        }
    });
}

fn file_of(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Map(entries) => match entries.as_slice() {
            [Entry { key, value: Node { content: Content::Scalar { text, .. }, .. }, .. }] if key == "file" => {
                Some(text)
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
}

fn places(root: &mut Node, visit: &mut impl FnMut(&mut Node)) {
    let nodes = member(root, "nodes").map(|nodes| &mut nodes.content);
    let Some(Content::Map(nodes)) = nodes else { return };
    for node in nodes {
        let Some(chat) = member(&mut node.value, "chat") else { continue };
        for key in ["system", "user"] {
            member(chat, key).into_iter().for_each(&mut *visit);
        }
        let messages = member(chat, "messages").map(|messages| &mut messages.content);
        if let Some(Content::List(messages)) = messages {
            messages.iter_mut().filter_map(|message| member(message, "content")).for_each(&mut *visit);
        }
    }
}

fn member<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.content {
        Content::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    }
}

/// A tree without problems as JSON.
pub(super) fn to_json(node: &Node) -> Value {
    match &node.content {
        Content::Scalar { text, quoted: true } => Value::String(text.clone()),
        Content::Scalar { text, quoted: false } => match scalar(text) {
            Scalar::Null => Value::Null,
            Scalar::Boolean(truth) => Value::Bool(truth),
            Scalar::Number { value, .. } => value,
            Scalar::Text | Scalar::Ambiguous(_) => Value::String(text.clone()),
        },
        Content::List(elements) => Value::Array(elements.iter().map(to_json).collect()),
        Content::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect::<Map<_, _>>())
        }
    }
}

/// Reads a canonical text.
pub(super) fn load(source: &str, report: &mut Report) -> Option<Node> {
    match serde_json::from_str(source) {
        Ok(value) => Some(from_json(&value)),
        Err(error) => {
            report.add("yaml_syntax", Place::default(), format!("no canonical graph: {error}"));
            None
        }
    }
}

fn from_json(value: &Value) -> Node {
    let plain = |text: String| Content::Scalar { text, quoted: false };
    let content = match value {
        Value::Null => plain(String::new()),
        Value::Bool(_) | Value::Number(_) => plain(value.to_string()),
        Value::String(text) => Content::Scalar { text: text.clone(), quoted: true },
        Value::Array(elements) => Content::List(elements.iter().map(from_json).collect()),
        Value::Object(members) => Content::Map(
            members
                .iter()
                .map(|(key, value)| Entry { key: key.clone(), key_at: Place::default(), value: from_json(value) })
                .collect(),
        ),
    };
    Node { content, at: Place::default() }
}
