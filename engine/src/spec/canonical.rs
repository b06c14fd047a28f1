//! The canonical text of a graph: what it includes inlined, as JSON with sorted keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::{Place, Report};
use super::scalar::{Scalar, scalar};
use super::skills;
use super::yaml::{Content, Entry, Node};

/// What a graph names outside of its own text, beside graphs that are defined in it.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Paths of included texts, relative to the first file; those that lead out are left out.
    pub(super) texts: Vec<String>,
    /// Paths of graphs in files.
    pub(super) graphs: Vec<String>,
    /// Names of applied graphs.
    pub(super) applied: Vec<String>,
    /// Folders that skills may be, relative to the first file.
    pub(super) skills: Vec<String>,
}

/// What a graph in that folder names.
pub(super) fn references(root: &Node, folder: &str) -> References {
    let mut found = References::default();
    gather(root, folder, &mut Vec::new(), &mut found);
    for names in [&mut found.texts, &mut found.graphs, &mut found.applied, &mut found.skills] {
        names.sort();
        names.dedup();
    }
    found
}

fn gather<'n>(root: &'n Node, folder: &str, defined: &mut Vec<&'n str>, found: &mut References) {
    let mut copy = root.clone();
    nodes_of(&mut copy, &mut |node| {
        texts(node, &mut |node| {
            let path = file_of(node).map(|path| format!("{folder}{path}"));
            found.texts.extend(path.filter(|path| is_inside(path)));
        });
    });
    found.skills.extend(skills::folders(root, folder));
    let before = defined.len();
    let graphs = match root.get("graphs").map(|graphs| &graphs.content) {
        Some(Content::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    defined.extend(graphs.iter().map(|entry| entry.key.as_str()));
    graphs.iter().for_each(|entry| gather(&entry.value, folder, defined, found));
    if let Some(Content::Map(nodes)) = root.get("nodes").map(|nodes| &nodes.content) {
        for name in nodes.iter().flat_map(|entry| called(&entry.value)).map(|(name, _)| name) {
            match name.strip_prefix("./") {
                _ if defined.contains(&name) => {}
                Some(path) => found.graphs.extend(Some(format!("{folder}{path}")).filter(|path| is_inside(path))),
                None => found.applied.push(name.to_owned()),
            }
        }
    }
    defined.truncate(before);
}

/// The graphs a node calls or offers a model, and where their names stand.
pub(super) fn called(node: &Node) -> Vec<(&str, Place)> {
    let mut named: Vec<&Node> = Vec::new();
    named.extend(node.get("graph").and_then(|graph| graph.get("name")));
    for work in ["chat", "agent"] {
        let tools = node.get(work).and_then(|work| work.get("tools")).map(|tools| &tools.content);
        if let Some(Content::List(tools)) = tools {
            named.extend(tools.iter().filter_map(|tool| tool.get("graph")));
        }
    }
    for member in team(node) {
        named.extend(member.value.get("graph"));
        if let Some(Content::List(tools)) = member.value.get("tools").map(|tools| &tools.content) {
            named.extend(tools.iter().filter_map(|tool| tool.get("graph")));
        }
    }
    named.into_iter().filter_map(|node| Some((node.scalar()?, node.at))).collect()
}

/// The team of a node whose agent has one.
fn team(node: &Node) -> &[Entry] {
    match node.get("agent").and_then(|agent| agent.get("team")).map(|team| &team.content) {
        Some(Content::Map(members)) => members,
        _ => &[],
    }
}

/// Puts the texts in the place of `{ file: … }`, for a graph in that folder and those
/// defined in it.
pub(super) fn inline(root: &mut Node, folder: &str, given: &BTreeMap<String, String>, report: &mut Report) {
    nodes_of(root, &mut |node| texts(node, &mut |node| put(node, folder, given, report)));
    if let Some(Content::Map(graphs)) = member(root, "graphs").map(|graphs| &mut graphs.content) {
        graphs.iter_mut().for_each(|entry| inline(&mut entry.value, folder, given, report));
    }
}

fn put(node: &mut Node, folder: &str, texts: &BTreeMap<String, String>, report: &mut Report) {
    let Some(written) = file_of(node) else { return };
    let path = format!("{folder}{written}");
    let text = texts.get(&path).filter(|_| is_inside(&path));
    match text {
        Some(text) => node.content = Content::Scalar { text: text.clone(), quoted: true },
        None if is_inside(&path) => {
            report.add("no_file", node.at, format!("{path} was not found")).help("paths are relative to the graph");
            node.content = Content::Scalar { text: String::new(), quoted: true };
        }
        None => {
            report
                .add("no_file", node.at, format!("{written} leads out of the graph's folder"))
                .help("paths are relative to the graph, with / between names and without ..");
            node.content = Content::Scalar { text: String::new(), quoted: true };
        }
    }
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

/// Whether a path stays in the folder it is relative to.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
}

/// Visits the nodes of a graph.
pub(super) fn nodes_of(root: &mut Node, visit: &mut impl FnMut(&mut Node)) {
    let nodes = member(root, "nodes").map(|nodes| &mut nodes.content);
    let Some(Content::Map(nodes)) = nodes else { return };
    nodes.iter_mut().for_each(|entry| visit(&mut entry.value));
}

/// The places of a node that may include: `system` and `user` of a chat or an agent, `system`
/// of those who work for it, and `messages` of a chat.
fn texts(node: &mut Node, visit: &mut impl FnMut(&mut Node)) {
    for work in ["chat", "agent"] {
        for key in ["system", "user"] {
            let text = member(node, work).and_then(|work| member(work, key));
            text.into_iter().for_each(&mut *visit);
        }
    }
    if let Some(agent) = member(node, "agent") {
        let reviewer = member(agent, "reviewer").and_then(|reviewer| member(reviewer, "system"));
        reviewer.into_iter().for_each(&mut *visit);
        if let Some(Content::Map(team)) = member(agent, "team").map(|team| &mut team.content) {
            team.iter_mut().filter_map(|entry| member(&mut entry.value, "system")).for_each(&mut *visit);
        }
    }
    let Some(chat) = member(node, "chat") else { return };
    let messages = member(chat, "messages").map(|messages| &mut messages.content);
    if let Some(Content::List(messages)) = messages {
        messages.iter_mut().filter_map(|message| member(message, "content")).for_each(&mut *visit);
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

/// A value as a tree that stands nowhere.
pub(super) fn from_json(value: &Value) -> Node {
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
