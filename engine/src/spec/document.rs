//! The whole graph: its head, what it declares, its nodes, and what follows from them.

use std::collections::BTreeMap;

use baton_common::transition::OnBusy;
use baton_common::{Digest, GraphHash, NodePath, canonical_json};
use serde_json::{Map, Value, json};

use super::canonical::to_json;
use super::code::expression;
use super::problem::{Place, Report};
use super::reader::{Members, count, duration, entries, members, text, truth, unsupported, word};
use super::route::{END, targets};
use super::types::{Field, fields, object};
use super::view::{Declared, View};
use super::yaml::{Content, Entry, Node};
use super::{flow, node};
use crate::expr::{Expr, Kind};
use crate::graph::{Channel, Graph, Limits, Node as GraphNode, Reducer, Route, Target};

const KEYS: [&str; 9] = ["baton", "graph", "input", "output", "state", "start", "limits", "on_busy", "nodes"];
const LATER: [&str; 2] = ["graphs", "triggers"];
const NODES_MAX: usize = 500;
const STEPS: u64 = 1_000;
const STEPS_MAX: u64 = 1_000_000;

/// The graph of a tree; `None` where something is missing for one.
pub(super) fn graph(report: &mut Report, root: &Node) -> Option<Graph> {
    let members = members(report, root, "a graph", &KEYS, &LATER)?;
    version(report, &members);
    let name = name(report, &members);
    let declared = declared(report, &members);
    let node_entries = node_entries(report, &members);
    let names: Vec<String> = node_entries.iter().map(|entry| entry.key.clone()).collect();
    let nodes: Vec<(&Entry, Option<GraphNode>)> =
        node_entries.iter().map(|entry| (entry, node::node(report, entry, &names, &declared))).collect();
    let start = match members.get("start") {
        Some(start) => targets(report, start, "start", &names),
        None => {
            report.add("missing_key", members.at, "the graph has no start").help("start: NAME of the first node");
            None
        }
    };
    let (output, output_schema) = output(report, &members, &declared);
    let limits = limits(report, &members);
    let on_busy = on_busy(report, &members);
    let whole = nodes.iter().all(|(_, node)| node.is_some());
    let places: BTreeMap<NodePath, Place> =
        nodes.iter().filter_map(|(entry, _)| Some((NodePath::parse(&entry.key).ok()?, entry.key_at))).collect();
    let nodes: BTreeMap<NodePath, GraphNode> =
        nodes.into_iter().filter_map(|(_, node)| node).map(|node| (node.path.clone(), node)).collect();
    let start = start?;
    if whole {
        if start.is_empty() {
            report.add("wrong_target", members.place("start"), "a graph cannot start at its end");
        }
        flow::check(
            report,
            &flow::Flow { nodes: &nodes, start: &start, places: &places, channels: &declared.channels },
        );
    }
    let source = canonical_json(&to_json(root));
    Some(Graph {
        name: name?,
        hash: GraphHash(Digest::of(&source)),
        source,
        input: declared.input,
        output,
        output_schema,
        channels: declared.channels,
        start,
        limits,
        on_busy,
        successors: nodes.iter().map(|(path, node)| (path.clone(), successors(node))).collect(),
        nodes,
        children: BTreeMap::new(),
    })
}

/// Where a node's branch may go next, each name once and in order.
pub(super) fn successors(node: &GraphNode) -> Vec<NodePath> {
    let mut successors: Vec<NodePath> = routes(node).flat_map(ways).flatten().cloned().collect();
    successors.sort();
    successors.dedup();
    successors
}

/// `then` and `on_error`.
pub(super) fn routes(node: &GraphNode) -> impl Iterator<Item = &Route> {
    std::iter::once(&node.then).chain(&node.on_error)
}

/// The nodes each arm of a route leads to.
pub(super) fn ways(route: &Route) -> impl Iterator<Item = &[NodePath]> {
    route.arms.iter().map(|arm| match &arm.target {
        Target::Nodes(nodes) => nodes.as_slice(),
        Target::Fail(_) => &[],
    })
}

fn version(report: &mut Report, members: &Members<'_>) {
    match members.get("baton") {
        None => {
            report.add("missing_key", members.at, "the language version is missing").help("begin with baton: 1");
        }
        Some(node) if !matches!(&node.content, Content::Scalar { text, .. } if text == "1") => {
            report.add("wrong_version", node.at, "this version of Baton reads graphs of language version 1");
        }
        Some(_) => {}
    }
}

fn name(report: &mut Report, members: &Members<'_>) -> Option<String> {
    let Some(node) = members.get("graph") else {
        report.add("missing_key", members.at, "the graph has no name").help("graph: newsletter");
        return None;
    };
    let name = text(report, node, "the name of the graph")?;
    let fits = (1..=128).contains(&name.len())
        && name.chars().all(|mark| mark.is_ascii_alphanumeric() || "_-.".contains(mark));
    if !fits {
        report
            .add("wrong_name", node.at, format!("{name:?} is no name of a graph"))
            .help("names are made of letters, digits, _, - and .");
    }
    Some(name.to_owned())
}

fn node_entries<'n>(report: &mut Report, members: &Members<'n>) -> &'n [Entry] {
    let Some(nodes) = members.get("nodes") else {
        report.add("missing_key", members.at, "the graph has no nodes");
        return &[];
    };
    let nodes = entries(report, nodes, "nodes");
    if nodes.is_empty() {
        report.add("missing_key", members.place("nodes"), "the graph has no nodes");
    }
    if nodes.len() > NODES_MAX {
        report.add("too_large", members.place("nodes"), format!("more than {NODES_MAX} nodes"));
        return &[];
    }
    for entry in nodes {
        if entry.key == END {
            report.add("wrong_name", entry.key_at, "end is the end of a branch, not the name of a node");
        } else if NodePath::parse(&entry.key).is_err() || entry.key.contains('/') {
            report
                .add("wrong_name", entry.key_at, format!("{:?} is no name of a node", entry.key))
                .help("names are made of letters, digits, _ and -");
        }
    }
    nodes
}

fn declared(report: &mut Report, members: &Members<'_>) -> Declared {
    let input = members.get("input").map(|node| fields(report, node, "input", &[])).unwrap_or_default();
    let mut channels = BTreeMap::new();
    if let Some(state) = members.get("state") {
        for field in fields(report, state, "state", &["reduce", "keep"]) {
            let node = state.get(&field.name);
            let reducer = node.and_then(|node| node.get("reduce")).and_then(|node| reducer(report, node));
            let keep = node.and_then(|node| node.get("keep")).and_then(|node| truth(report, node, "keep"));
            let reducer = reducer.unwrap_or(Reducer::Replace);
            check_reducer(report, &field, reducer, node);
            let is_array = Kind::of_schema(&field.schema) == Kind::Array;
            let unset = if is_array { json!([]) } else { Value::Null };
            let default = field.default.filter(|default| !default.is_null()).unwrap_or(unset);
            let channel = Channel { schema: field.schema, reducer, default, keep: keep.unwrap_or(false) };
            channels.insert(field.name, channel);
        }
    }
    Declared { input: object(&input), channels }
}

const REDUCERS: [(&str, Reducer); 7] = [
    ("replace", Reducer::Replace),
    ("last", Reducer::Last),
    ("append", Reducer::Append),
    ("union", Reducer::Union),
    ("sum", Reducer::Sum),
    ("merge", Reducer::Merge),
    ("messages", Reducer::Messages),
];

fn reducer(report: &mut Report, node: &Node) -> Option<Reducer> {
    let names = REDUCERS.map(|(name, _)| name);
    let name = word(report, node, "reduce", &names)?;
    REDUCERS.iter().find(|(known, _)| *known == name).map(|(_, reducer)| *reducer)
}

fn check_reducer(report: &mut Report, field: &Field, reducer: Reducer, node: Option<&Node>) {
    let kind = Kind::of_schema(&field.schema);
    if kind == Kind::Any {
        return;
    }
    let wanted = match reducer {
        Reducer::Append | Reducer::Union | Reducer::Messages if kind != Kind::Array => "an array",
        Reducer::Sum if ![Kind::Integer, Kind::Number].contains(&kind) => "an integer or a number",
        Reducer::Merge if kind != Kind::Object => "an object",
        _ => return,
    };
    let at = node.and_then(|node| node.get("reduce")).map(|node| node.at).unwrap_or_default();
    report
        .add("type_mismatch", at, format!("this reducer needs a channel that is {wanted}, not {}", kind.name()))
        .label(format!("{} is {}", field.name, kind.name()));
}

fn output(report: &mut Report, members: &Members<'_>, declared: &Declared) -> (BTreeMap<String, Expr>, Value) {
    let view = View::new(declared, "output");
    let mut outputs = BTreeMap::new();
    let mut properties = Map::new();
    let mut names = Vec::new();
    for entry in members.get("output").map(|node| entries(report, node, "output")).unwrap_or_default() {
        let Some((value, kind)) = expression(report, &entry.value, &format!("output {}", entry.key), &view) else {
            continue;
        };
        // A channel that was never written reads as null.
        let schema = match kind {
            Kind::Any | Kind::Null => json!({}),
            kind => json!({"type": [kind.name(), "null"]}),
        };
        properties.insert(entry.key.clone(), schema);
        names.push(entry.key.clone());
        outputs.insert(entry.key.clone(), value);
    }
    names.sort();
    (outputs, json!({"type": "object", "properties": properties, "required": names}))
}

fn limits(report: &mut Report, members: &Members<'_>) -> Limits {
    let mut limits = Limits { steps: STEPS, duration_ms: None, tokens: None, cost_usd: None };
    let Some(node) = members.get("limits") else { return limits };
    let Some(given) = super::reader::members(report, node, "limits", &["steps", "tokens", "duration"], &["cost_usd"])
    else {
        return limits;
    };
    if let Some(steps) = given.get("steps").and_then(|node| count(report, node, "steps", (1, STEPS_MAX))) {
        limits.steps = steps;
    }
    limits.tokens = given.get("tokens").and_then(|node| count(report, node, "tokens", (1, u64::MAX)));
    limits.duration_ms = given.get("duration").and_then(|node| duration(report, node, "duration"));
    limits
}

fn on_busy(report: &mut Report, members: &Members<'_>) -> OnBusy {
    let Some(node) = members.get("on_busy") else { return OnBusy::default() };
    match word(report, node, "on_busy", &["reject", "enqueue", "interrupt", "rollback"]) {
        Some("enqueue") => OnBusy::Enqueue,
        Some(word @ ("interrupt" | "rollback")) => {
            unsupported(report, node.at, &format!("on_busy: {word}"));
            OnBusy::default()
        }
        _ => OnBusy::default(),
    }
}
