//! What follows from a graph's form and is asked for at every superstep: found once, when
//! it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use baton_common::NodePath;

use super::reach::Ways;
use super::references::{self, Names};
use crate::graph::{Graph, Join, Node, Work};

/// Facts about a graph. A copy finds its own, so that who changes a copy is not misled.
#[derive(Default)]
pub struct Facts(OnceLock<Box<Known>>);

impl Clone for Facts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts")
    }
}

/// The facts.
#[derive(Debug)]
pub(super) struct Known {
    /// By node: its place among all, and the channels it reads.
    reads: BTreeMap<NodePath, (usize, Reads)>,
    /// The channels the output reads.
    pub(super) at_end: Names,
    /// By join: the nodes from which active work can still reach it in its present turn.
    toward: BTreeMap<NodePath, BTreeSet<NodePath>>,
    /// By `join: any`: those of them that lead nowhere else.
    only: BTreeMap<NodePath, BTreeSet<NodePath>>,
    /// By join: the edges that start its next turn.
    turns: BTreeMap<NodePath, BTreeSet<(NodePath, NodePath)>>,
    /// Whether a success of it may have to be taken back.
    pub(super) owes: bool,
    /// Whether an expression of it, or of a graph within it, says who the run is.
    pub(super) names_run: bool,
    /// How deep graphs lie within it, if it and they have local nodes only.
    pub(super) local_depth: Option<u32>,
}

/// The channels a node reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// When it is activated.
    pub(super) at_activation: Names,
    /// When it is folded.
    pub(super) at_fold: Names,
    /// Either.
    pub(super) at_all: Names,
}

impl Graph {
    /// What follows from its form.
    pub(super) fn known(&self) -> &Known {
        self.facts.0.get_or_init(|| Box::new(Known::of(self)))
    }
}

impl Known {
    fn of(graph: &Graph) -> Self {
        let has_joins = graph.nodes.values().any(|node| node.join.is_some());
        let ways = if has_joins { Ways::of(graph) } else { Ways::default() };
        let joins = || graph.nodes.values().filter(|node| node.join.is_some());
        let toward: BTreeMap<_, _> = joins().map(|join| (join.path.clone(), ways.toward(&join.path))).collect();
        let turns: BTreeMap<_, _> = joins().map(|join| (join.path.clone(), ways.turns(&join.path))).collect();
        let any = joins().filter(|node| node.join == Some(Join::Any));
        let only = any.map(|join| {
            let to = toward.get(&join.path).cloned().unwrap_or_default();
            let leaves = |node: &NodePath| leads_elsewhere(&ways, &join.path, &to, node);
            let only = to.iter().filter(|node| !leaves(node)).cloned().collect();
            (join.path.clone(), only)
        });
        let places = graph.nodes.values().enumerate();
        Self {
            reads: places.map(|(place, node)| (node.path.clone(), (place, Reads::of(graph, node)))).collect(),
            at_end: references::at_end(graph),
            only: only.collect(),
            toward,
            turns,
            owes: graph.nodes.values().any(|node| owes(graph, node)),
            names_run: references::names_run(graph) || graph.children.values().any(|child| child.known().names_run),
            local_depth: local_depth(graph),
        }
    }

    /// The channels a node reads.
    pub(super) fn reads(&self, node: &NodePath) -> &Reads {
        static NOTHING: Reads = Reads { at_activation: Names::new(), at_fold: Names::new(), at_all: Names::new() };
        self.reads.get(node).map_or(&NOTHING, |(_, reads)| reads)
    }

    /// A node's place among all of the graph.
    pub(super) fn place(&self, node: &NodePath) -> Option<usize> {
        self.reads.get(node).map(|(place, _)| *place)
    }

    /// Whether active work at a node can still reach a join in its present turn.
    pub(super) fn leads(&self, from: &NodePath, join: &NodePath) -> bool {
        self.toward.get(join).is_some_and(|nodes| nodes.contains(from))
    }

    /// Whether a node leads to a `join: any` and nowhere else.
    pub(super) fn leads_only(&self, from: &NodePath, join: &NodePath) -> bool {
        self.only.get(join).is_some_and(|nodes| nodes.contains(from))
    }

    /// Whether going from one node to another starts a join's next turn.
    pub(super) fn starts_next_turn(&self, from: &NodePath, to: &NodePath, join: &NodePath) -> bool {
        self.turns.get(join).is_some_and(|edges| edges.contains(&(from.clone(), to.clone())))
    }
}

impl Reads {
    fn of(graph: &Graph, node: &Node) -> Self {
        let at_activation = references::at_activation(graph, node);
        let at_fold = references::at_fold(graph, node);
        let at_all = at_activation.union(&at_fold).cloned().collect();
        Self { at_activation, at_fold, at_all }
    }
}

/// Whether some way from a node, short of the join and within its turn, goes where the join
/// is not ahead. An end is no place to lead to.
fn leads_elsewhere(ways: &Ways<'_>, join: &NodePath, toward: &BTreeSet<NodePath>, from: &NodePath) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for next in ways.after(node) {
            if next == join || ways.starts_next_turn(node, next, join) {
                continue;
            }
            if !toward.contains(next) {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

/// Whether a success of a node may have to be taken back.
pub(super) fn owes(graph: &Graph, node: &Node) -> bool {
    let child_owes = |name: &str| graph.children.get(name).is_some_and(|child| child.known().owes);
    node.undo.is_some() || matches!(&node.work, Work::Graph(call) if child_owes(&call.name))
}

fn local_depth(graph: &Graph) -> Option<u32> {
    let mut depth = 0;
    for node in graph.nodes.values() {
        match &node.work {
            Work::Local => {}
            Work::Graph(call) => depth = depth.max(1 + graph.children.get(&call.name)?.known().local_depth?),
            _ => return None,
        }
        if node.approve.is_some() {
            return None;
        }
    }
    Some(depth)
}
