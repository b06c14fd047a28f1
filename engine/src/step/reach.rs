//! Which nodes can be reached from which, for one who waits at a join: within a loop only
//! ways forward count, since an edge back to a node that dominates it starts the next turn.
//!
//! Who is active, and who waits, is not known here.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::NodePath;

use crate::graph::Graph;

type Nodes<'a> = BTreeSet<&'a NodePath>;

/// A graph's ways, with its loops found.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    after: BTreeMap<&'a NodePath, &'a [NodePath]>,
    before: BTreeMap<&'a NodePath, Nodes<'a>>,
    /// By head: the edges back to it, and every node of the loop.
    loops: BTreeMap<&'a NodePath, Loop<'a>>,
}

#[derive(Debug, Default)]
struct Loop<'a> {
    tails: Nodes<'a>,
    body: Nodes<'a>,
}

impl<'a> Ways<'a> {
    /// Finds the loops of a graph.
    pub(super) fn of(graph: &'a Graph) -> Self {
        let after: BTreeMap<_, _> = graph.successors.iter().map(|(node, next)| (node, next.as_slice())).collect();
        let mut before: BTreeMap<&NodePath, Nodes<'_>> = BTreeMap::new();
        for (node, next) in &after {
            for target in *next {
                before.entry(target).or_default().insert(node);
            }
        }
        let dominators = dominators(graph, &after, &before);
        let mut loops: BTreeMap<&NodePath, Loop<'_>> = BTreeMap::new();
        for (tail, next) in &after {
            for head in next.iter().filter(|head| dominators.get(tail).is_some_and(|all| all.contains(head))) {
                let found = loops.entry(head).or_default();
                found.tails.insert(tail);
                found.body.extend(body(head, tail, &before));
            }
        }
        Self { after, before, loops }
    }

    /// Where a node's branch may go next.
    pub(super) fn after(&self, node: &NodePath) -> &'a [NodePath] {
        self.after.get(node).copied().unwrap_or_default()
    }

    /// The nodes from which active work can still reach a join in its present turn.
    pub(super) fn toward(&self, join: &NodePath) -> BTreeSet<NodePath> {
        let mut found = Nodes::new();
        let mut open = vec![join];
        while let Some(node) = open.pop() {
            for before in self.before.get(node).into_iter().flatten() {
                if !self.starts_next_turn(before, node, join) && found.insert(before) {
                    open.push(before);
                }
            }
        }
        found.into_iter().cloned().collect()
    }

    /// The edges that start a join's next turn: back to the head of a loop it lies in.
    pub(super) fn turns(&self, join: &NodePath) -> BTreeSet<(NodePath, NodePath)> {
        let around = self.loops.iter().filter(|(_, found)| found.body.contains(join));
        let edges = around.flat_map(|(head, found)| found.tails.iter().map(|tail| ((*tail).clone(), (*head).clone())));
        edges.collect()
    }

    /// Whether an edge starts a join's next turn.
    pub(super) fn starts_next_turn(&self, tail: &NodePath, head: &NodePath, join: &NodePath) -> bool {
        self.loops.get(head).is_some_and(|found| found.tails.contains(tail) && found.body.contains(join))
    }
}

/// The natural loop of the edge `tail` → `head`.
fn body<'a>(head: &'a NodePath, tail: &'a NodePath, before: &BTreeMap<&'a NodePath, Nodes<'a>>) -> Nodes<'a> {
    let mut body = Nodes::from([head]);
    let mut open = vec![tail];
    while let Some(node) = open.pop() {
        if body.insert(node) {
            open.extend(before.get(node).into_iter().flatten());
        }
    }
    body
}

/// For each node that can be reached from the start, the nodes every way to it passes.
fn dominators<'a>(
    graph: &'a Graph,
    after: &BTreeMap<&'a NodePath, &'a [NodePath]>,
    before: &BTreeMap<&'a NodePath, Nodes<'a>>,
) -> BTreeMap<&'a NodePath, Nodes<'a>> {
    let starts: Nodes<'_> = graph.start.iter().collect();
    let mut order = Vec::new();
    let mut reached = Nodes::new();
    let mut open: Vec<&NodePath> = graph.start.iter().rev().collect();
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            order.push(node);
            open.extend(after.get(node).copied().unwrap_or_default());
        }
    }
    let mut found: BTreeMap<&NodePath, Nodes<'_>> = order.iter().map(|node| (*node, reached.clone())).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for node in &order {
            let mut all = if starts.contains(node) {
                Nodes::new()
            } else {
                let mut sets = before.get(node).into_iter().flatten().filter_map(|tail| found.get(tail));
                let first = sets.next().cloned().unwrap_or_default();
                sets.fold(first, |all, set| all.intersection(set).copied().collect())
            };
            all.insert(node);
            if found.get(node) != Some(&all) {
                found.insert(node, all);
                changed = true;
            }
        }
    }
    found
}
