//! The whole graph: its head, what it declares, the graphs it calls, its nodes, and what
//! follows from them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use baton_common::{Digest, GraphHash, NodePath, canonical_json};
use serde_json::{Map, Value, json};

use super::canonical::{called, to_json};
use super::code::expression;
use super::library::{Home, Library};
use super::problem::{Place, Report};
use super::reader::{Members, entries, members};
use super::route::{END, targets};
use super::view::{Declared, View};
use super::yaml::{Entry, Node};
use super::{flow, head, node};
use crate::expr::Expr;
use crate::graph::{Graph, Node as GraphNode, Route, Target};

const KEYS: [&str; 10] =
    ["baton", "graph", "input", "output", "state", "start", "limits", "on_busy", "nodes", "graphs"];
const LATER: [&str; 1] = ["triggers"];
const NODES_MAX: usize = 2_000;
/// Longest canonical text, in bytes.
const SOURCE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The graph of a tree that stands in that home; `None` where something is missing for one.
pub(super) fn graph(report: &mut Report, library: &mut Library<'_>, root: &Node, home: &Rc<Home>) -> Option<Graph> {
    let members = members(report, root, "a graph", &KEYS, &LATER)?;
    head::version(report, &members, home);
    let name = head::name(report, &members, home);
    let node_entries = node_entries(report, &members);
    let children = children(report, library, &members, node_entries, home);
    let known = library.known;
    let (input, channels) = head::declared(report, &members);
    let mut declared = Declared::new(input, channels, known.tools.as_ref());
    declared.children = children;
    declared.agents = known.agents.is_some();
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
    let limits = head::limits(report, &members);
    let on_busy = head::on_busy(report, &members);
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
    let name = name?;
    let source = source(report, root, &name, &declared.children)?;
    Some(Graph {
        name,
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
        children: declared.children,
        facts: Default::default(),
    })
}

/// The canonical text: what is included inlined, graphs that are called beneath their names.
fn source(report: &mut Report, root: &Node, name: &str, children: &BTreeMap<String, Arc<Graph>>) -> Option<String> {
    let Value::Object(mut members) = to_json(root) else { return None };
    members.insert("baton".to_owned(), json!(1));
    members.insert("graph".to_owned(), json!(name));
    members.remove("graphs");
    if !children.is_empty() {
        let each = children
            .iter()
            .filter_map(|(name, child)| Some((name.clone(), serde_json::from_str::<Value>(&child.source).ok()?)));
        members.insert("graphs".to_owned(), each.collect::<Map<_, _>>().into());
    }
    let source = canonical_json(&Value::Object(members));
    if source.len() > SOURCE_BYTES_MAX {
        report.add(
            "too_large",
            root.at,
            format!("with all it includes the graph is longer than {SOURCE_BYTES_MAX} bytes"),
        );
        return None;
    }
    Some(source)
}

/// The graphs that the nodes call, as far as they are sound; those nobody calls are reported.
fn children(
    report: &mut Report,
    library: &mut Library<'_>,
    members: &Members<'_>,
    nodes: &[Entry],
    home: &Rc<Home>,
) -> BTreeMap<String, Arc<Graph>> {
    let definitions = members.get("graphs").map(|graphs| entries(report, graphs, "graphs")).unwrap_or_default();
    for entry in definitions.iter().filter(|_| !library.canonical) {
        head::check_name(report, &entry.key, entry.key_at);
    }
    let mut children = BTreeMap::new();
    for (name, at) in nodes.iter().flat_map(|entry| called(&entry.value)) {
        if let Some(child) = library.graph(report, home, (name, at)) {
            children.insert(name.to_owned(), child);
        }
    }
    for entry in definitions {
        if !library.was_called(home, &entry.key) {
            library.graph(report, home, (&entry.key, entry.key_at));
            report
                .add("unreachable_graph", entry.key_at, format!("no node calls {}", entry.key))
                .help(format!("call it with graph: {{ name: {} }}, or delete it", entry.key));
        }
    }
    children
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

fn output(report: &mut Report, members: &Members<'_>, declared: &Declared) -> (BTreeMap<String, Expr>, Value) {
    let view = View::new(declared, "output");
    let mut outputs = BTreeMap::new();
    let mut properties = Map::new();
    let mut names = Vec::new();
    for entry in members.get("output").map(|node| entries(report, node, "output")).unwrap_or_default() {
        let Some((value, shape)) = expression(report, &entry.value, &format!("output {}", entry.key), &view) else {
            continue;
        };
        let schema = nullable(shape.schema);
        properties.insert(entry.key.clone(), schema);
        names.push(entry.key.clone());
        outputs.insert(entry.key.clone(), value);
    }
    names.sort();
    (outputs, json!({"type": "object", "properties": properties, "required": names}))
}

/// The schema with null beside it: a channel that was never written reads as null.
fn nullable(schema: Value) -> Value {
    match schema {
        Value::Object(mut members) => match members.get("type") {
            Some(Value::String(name)) if name != "null" => {
                let both = json!([name, "null"]);
                members.insert("type".to_owned(), both);
                members.remove("enum");
                members.remove("const");
                Value::Object(members)
            }
            _ => json!({}),
        },
        _ => json!({}),
    }
}
