//! Which nodes can be reached from which, for one who waits at a join: within a loop only
//! ways forward count, since an edge back to a node that dominates it starts the next turn.
//!
//! Who is active, and who waits, is not known here.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::NodePath;

use crate::graph::Graph;

type Nodes<'a> = BTreeSet<&'a NodePath>;

/// A graph's ways, with its loops found.
#[derive(Debug, Default)]
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
        let dominators = Dominators::of(graph, &after, &before);
        let mut loops: BTreeMap<&NodePath, Loop<'_>> = BTreeMap::new();
        for (tail, next) in &after {
            for head in next.iter().filter(|head| dominators.dominates(head, tail)) {
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

/// The last node that every way to a node passes, for those that can be reached.
#[derive(Debug)]
struct Dominators<'a> {
    numbers: BTreeMap<&'a NodePath, usize>,
    /// By number in the order of a walk backwards; the first stands for the outside.
    last: Vec<usize>,
}

impl<'a> Dominators<'a> {
    fn of(
        graph: &'a Graph,
        after: &BTreeMap<&'a NodePath, &'a [NodePath]>,
        before: &BTreeMap<&NodePath, Nodes<'a>>,
    ) -> Self {
        let order = backwards(graph, after);
        let numbers: BTreeMap<&NodePath, usize> = order.iter().copied().zip(1..).collect();
        let starts: Nodes<'_> = graph.start.iter().collect();
        let mut last: Vec<Option<usize>> = vec![None; order.len() + 1];
        last[0] = Some(0);
        let mut changed = true;
        while changed {
            changed = false;
            for (node, number) in order.iter().zip(1..) {
                let tails = before.get(node).into_iter().flatten().filter_map(|tail| numbers.get(tail).copied());
                let known = tails.chain(starts.contains(node).then_some(0)).filter(|tail| last[*tail].is_some());
                let found = known.reduce(|left, right| common(&last, left, right));
                if last[number] != found {
                    last[number] = found;
                    changed = true;
                }
            }
        }
        Self { numbers, last: last.into_iter().map(Option::unwrap_or_default).collect() }
    }

    /// Whether every way to `node` passes `head`.
    fn dominates(&self, head: &NodePath, node: &NodePath) -> bool {
        let (Some(head), Some(mut node)) = (self.numbers.get(head), self.numbers.get(node).copied()) else {
            return false;
        };
        while node > *head {
            node = self.last[node];
        }
        node == *head
    }
}

/// The last node that all ways to both pass.
fn common(last: &[Option<usize>], mut left: usize, mut right: usize) -> usize {
    while left != right {
        if left > right {
            left = last[left].unwrap_or_default();
        } else {
            right = last[right].unwrap_or_default();
        }
    }
    left
}

/// The nodes that can be reached, each before those that are reached from it only.
fn backwards<'a>(graph: &'a Graph, after: &BTreeMap<&'a NodePath, &'a [NodePath]>) -> Vec<&'a NodePath> {
    let mut order = Vec::new();
    let mut reached = Nodes::new();
    let next = |node: &NodePath| after.get(node).copied().unwrap_or_default();
    for start in &graph.start {
        let mut open = vec![(start, next(start).iter())];
        if !reached.insert(start) {
            continue;
        }
        while let Some((node, ahead)) = open.last_mut() {
            match ahead.next() {
                Some(one) if reached.insert(one) => open.push((one, next(one).iter())),
                Some(_) => {}
                None => {
                    order.push(*node);
                    open.pop();
                }
            }
        }
    }
    order.reverse();
    order
}
