//! Loops that turn for ever: no node of theirs can leave, or none whose choice could ever
//! come out otherwise.
//!
//! A choice can come out otherwise if a condition of it looks at what its node gives, or at
//! a channel that is written while the loop turns. A failure that leads out counts too.

use std::collections::BTreeSet;

use baton_common::NodePath;

use super::document::ways;
use super::flow::Flow;
use super::problem::Report;
use crate::graph::{Node, Route, Work};

/// Reports every such loop. `edges` are all ways, `at_once` every two nodes that may be
/// active at the same time.
pub(super) fn check(
    report: &mut Report,
    flow: &Flow<'_>,
    names: &[&NodePath],
    edges: &[Vec<usize>],
    at_once: &[(usize, usize)],
) {
    let loops = Loops { flow, names, edges, at_once };
    let mut work = vec![(0..names.len()).collect::<BTreeSet<usize>>()];
    while let Some(nodes) = work.pop() {
        for circle in circles(edges, &nodes) {
            let written = loops.written(&circle);
            let leaves = |node: &usize| loops.leaves(*node, &circle, &written);
            let leaving: BTreeSet<usize> = circle.iter().copied().filter(leaves).collect();
            if leaving.is_empty() {
                loops.tell(report, &circle);
            } else {
                work.push(circle.difference(&leaving).copied().collect());
            }
        }
    }
}

struct Loops<'g> {
    flow: &'g Flow<'g>,
    names: &'g [&'g NodePath],
    edges: &'g [Vec<usize>],
    at_once: &'g [(usize, usize)],
}

impl Loops<'_> {
    fn node(&self, number: usize) -> Option<&Node> {
        self.flow.nodes.get(self.names[number])
    }

    /// Whether a branch may leave the loop at that node, if not now then in a later turn.
    fn leaves(&self, number: usize, circle: &BTreeSet<usize>, written: &BTreeSet<&str>) -> bool {
        let Some(node) = self.node(number) else { return true };
        let out = |route: &Route| {
            ways(route).any(|way| way.iter().all(|to| !circle.iter().any(|inside| self.names[*inside] == to)))
        };
        let fails = node.on_error.as_ref().is_some_and(out);
        fails || (out(&node.then) && self.changes(node, circle, written))
    }

    /// Whether the choice at a node may come out otherwise in another turn.
    fn changes(&self, node: &Node, circle: &BTreeSet<usize>, written: &BTreeSet<&str>) -> bool {
        let conditions: Vec<_> = node.then.arms.iter().filter_map(|arm| arm.when.as_ref()).collect();
        // Without a condition it always leaves: then no way leads back from here.
        if conditions.is_empty() {
            return node.then.arms.len() == 1 && !self.turns_from(node, circle);
        }
        conditions.iter().any(|when| {
            let roots = when.roots();
            let gives = !matches!(node.work, Work::Local | Work::Notify(_));
            (gives && roots.iter().any(|root| ["output", "errors"].contains(root)))
                || match when.paths().members("state") {
                    None => true,
                    Some(channels) => channels.iter().any(|channel| written.contains(channel)),
                }
        })
    }

    fn turns_from(&self, node: &Node, circle: &BTreeSet<usize>) -> bool {
        ways(&node.then).flatten().any(|to| circle.iter().any(|inside| self.names[*inside] == to))
    }

    /// The channels that are written in the loop, or by whoever runs beside it.
    fn written(&self, circle: &BTreeSet<usize>) -> BTreeSet<&str> {
        let mut writers = circle.clone();
        for (left, right) in self.at_once {
            if circle.contains(left) {
                writers.insert(*right);
            }
            if circle.contains(right) {
                writers.insert(*left);
            }
        }
        let nodes = writers.into_iter().filter_map(|number| self.node(number));
        nodes.flat_map(|node| node.save.keys().map(|name| &**name)).collect()
    }

    fn tell(&self, report: &mut Report, circle: &BTreeSet<usize>) {
        let place = |number: &usize| self.flow.place(self.names[*number]);
        let Some(first) = circle.iter().min_by_key(|number| place(number).offset) else { return };
        let way: Vec<&str> = self.way(*first, circle).iter().map(|number| self.names[*number].as_str()).collect();
        let arms = circle.iter().filter_map(|number| self.node(*number)).flat_map(|node| &node.then.arms);
        let conditions: Vec<&str> = arms.filter_map(|arm| arm.when.as_ref()).map(|when| when.text()).collect();
        let message = match conditions.as_slice() {
            [] => format!("the loop {} has no way out", way.join(" → ")),
            _ => format!("the loop {} changes nothing that its way out depends on", way.join(" → ")),
        };
        let problem = report.add("endless_loop", place(first), message);
        match conditions.first() {
            Some(when) => {
                problem.label(format!("{when} is the same in every turn"));
                problem.help(
                    "let a node of it save what the condition looks at: turns: \"1\" in a channel with reduce: sum",
                );
            }
            None => _ = problem.help("give a node of it an arm that leads out: { when: state.turns < 3, to: … }"),
        }
    }

    /// A way from a node back to it.
    fn way(&self, first: usize, circle: &BTreeSet<usize>) -> Vec<usize> {
        let mut before: Vec<Option<usize>> = vec![None; self.edges.len()];
        let mut queue = std::collections::VecDeque::from([first]);
        while let Some(node) = queue.pop_front() {
            for next in self.edges[node].iter().copied().filter(|next| circle.contains(next)) {
                if next == first {
                    let mut way = vec![first, node];
                    let mut last = node;
                    while last != first {
                        last = before[last].unwrap_or(first);
                        way.push(last);
                    }
                    way.reverse();
                    return way;
                }
                if before[next].is_none() {
                    before[next] = Some(node);
                    queue.push_back(next);
                }
            }
        }
        vec![first]
    }
}

/// The parts of these nodes in which every node leads to every other, and those that lead
/// to themselves: Tarjan's way.
fn circles(edges: &[Vec<usize>], nodes: &BTreeSet<usize>) -> Vec<BTreeSet<usize>> {
    let mut search = Search {
        edges,
        nodes,
        order: vec![None; edges.len()],
        low: vec![0; edges.len()],
        stack: Vec::new(),
        on_stack: BTreeSet::new(),
        visited: 0,
        found: Vec::new(),
    };
    for node in nodes {
        if search.order[*node].is_none() {
            search.visit(*node);
        }
    }
    let turns = |circle: &BTreeSet<usize>| circle.len() > 1 || circle.iter().all(|node| edges[*node].contains(node));
    search.found.into_iter().filter(turns).collect()
}

struct Search<'e> {
    edges: &'e [Vec<usize>],
    nodes: &'e BTreeSet<usize>,
    order: Vec<Option<usize>>,
    low: Vec<usize>,
    stack: Vec<usize>,
    on_stack: BTreeSet<usize>,
    visited: usize,
    found: Vec<BTreeSet<usize>>,
}

impl Search<'_> {
    /// As deep as the longest way: a graph has 2,000 nodes at most, and is read on a large stack.
    fn visit(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.visited += 1;
        self.stack.push(node);
        self.on_stack.insert(node);
        for next in &self.edges[node] {
            if !self.nodes.contains(next) {
                continue;
            }
            match self.order[*next] {
                None => {
                    self.visit(*next);
                    self.low[node] = self.low[node].min(self.low[*next]);
                }
                Some(order) if self.on_stack.contains(next) => self.low[node] = self.low[node].min(order),
                Some(_) => {}
            }
        }
        if Some(self.low[node]) == self.order[node] {
            let mut circle = BTreeSet::new();
            while let Some(last) = self.stack.pop() {
                self.on_stack.remove(&last);
                circle.insert(last);
                if last == node {
                    break;
                }
            }
            self.found.push(circle);
        }
    }
}
