//! Addresses of nodes in a table of results: `node`, `caller/node` in a called graph,
//! `node[2]` for one item of a map, `node/undo` for what takes a node back.

use std::fmt;

use baton_common::NodePath;

use super::super::problem::{Place, Report};
use crate::graph::{Graph, Node, Work};

/// What the address of a compensation ends with.
const UNDO: &str = "undo";

/// One part of an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// The node.
    pub node: String,
    /// The item, where the node is a map.
    pub item: Option<u32>,
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "{}[{item}]", self.node),
            None => f.write_str(&self.node),
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix(']') {
            None => Some(Self { node: text.to_owned(), item: None }),
            Some(rest) => {
                let (node, item) = rest.split_once('[')?;
                Some(Self { node: node.to_owned(), item: Some(item.parse().ok()?) })
            }
        }
    }
}

/// What an address is to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Job,
    Question,
}

/// Whether rows for that address are for items: of the node, or of a node that calls it.
/// An address that leads nowhere, or to something else than what is wanted, is a problem.
pub(super) fn has_items(report: &mut Report, graph: &Graph, address: &str, at: Place, wanted: Wanted) -> Option<bool> {
    let mut graph = graph;
    let mut node: Option<&Node> = None;
    let mut items = false;
    for part in address.split('/') {
        let Some(segment) = Segment::parse(part) else {
            report.add("wrong_name", at, format!("{part} is no address")).help("write node, node[2] or caller/node");
            return None;
        };
        if let Some(above) = node {
            if segment.node == UNDO && segment.item.is_none() && wanted == Wanted::Job {
                return undone(report, above, address, at);
            }
            let Work::Graph(call) = &above.work else {
                report
                    .add("wrong_target", at, format!("{} calls no graph, so there is no {address}", above.path))
                    .help("caller/node is for nodes of a graph that caller calls");
                return None;
            };
            graph = graph.children.get(&call.name)?;
        }
        let Some(found) = NodePath::parse(&segment.node).ok().and_then(|path| graph.nodes.get(&path)) else {
            let message = format!("graph {} has no node {}", graph.name, segment.node);
            report.add("unknown_node", at, message).suggest(&segment.node, graph.nodes.keys().map(NodePath::as_str));
            return None;
        };
        if segment.item.is_some() && found.each.is_none() {
            report.add("needs_for_each", at, format!("{} has no items", found.path)).help("leave the number out");
            return None;
        }
        items |= found.each.is_some() && segment.item.is_none();
        node = Some(found);
    }
    let node = node?;
    let fits = match wanted {
        Wanted::Job => matches!(node.work, Work::Tool(_) | Work::Notify(_)),
        Wanted::Question => matches!(node.work, Work::Ask(_)) || node.approve.is_some(),
    };
    if !fits {
        let (what, cure) = match wanted {
            Wanted::Job => ("runs no job", "results are for nodes with tool, chat or notify"),
            Wanted::Question => ("asks nobody", "answers are for nodes with ask or approve"),
        };
        report.add("no_use", at, format!("{address} {what}")).help(cure);
        return None;
    }
    Some(items)
}

fn undone(report: &mut Report, node: &Node, address: &str, at: Place) -> Option<bool> {
    if node.undo.is_none() {
        report
            .add("wrong_target", at, format!("{} has no undo, so there is no {address}", node.path))
            .help("node/undo is for nodes with undo");
        return None;
    }
    Some(false)
}
