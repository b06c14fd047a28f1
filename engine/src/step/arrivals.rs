//! Who runs next: the nodes that branches arrived at, and the joins that may run.
//!
//! A `join: any` runs at the first arrival. Branches that lead there and nowhere else are
//! dropped then; others run on and are marked as late, so that their own arrival in the
//! same turn is dropped. The mark passes on to what follows, until an edge starts the
//! join's next turn or the branch cannot reach it any more.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::{GroupId, NodePath};

use super::activate::owner;
use super::advance::Surroundings;
use super::facts::Known;
use super::{Error, join};
use crate::graph::Join;
use crate::state::Control;

type Late = BTreeSet<NodePath>;

/// A branch arrives at a node.
#[derive(Debug)]
pub(super) struct Arrival {
    node: NodePath,
    late: Late,
}

impl From<NodePath> for Arrival {
    fn from(node: NodePath) -> Self {
        Self { node, late: Late::new() }
    }
}

impl Arrival {
    /// A branch goes from one node to another.
    pub(super) fn new(known: &Known, from: &NodePath, to: &NodePath, late: &Late) -> Self {
        let stays =
            |join: &&NodePath| !known.starts_next_turn(from, to, join) && (*join == to || known.leads(to, join));
        Self { node: to.clone(), late: late.iter().filter(stays).cloned().collect() }
    }
}

/// What is to be activated.
#[derive(Debug)]
pub(super) struct Next {
    /// The nodes in order, and what each is too late for.
    pub(super) nodes: Vec<(NodePath, Late)>,
    /// Open activations that are no longer wanted.
    pub(super) dropped: Vec<GroupId>,
}

/// Arrivals of one superstep.
pub(super) struct Arrivals<'a> {
    around: &'a Surroundings<'a>,
    plain: Vec<(NodePath, Late)>,
    all: Vec<(NodePath, Late)>,
    any: BTreeMap<NodePath, Late>,
}

impl<'a> Arrivals<'a> {
    /// Sorts arrivals by what they arrive at. Late ones at a `join: any` are dropped, and
    /// several there count once.
    pub(super) fn sort(around: &'a Surroundings<'a>, arrivals: Vec<Arrival>) -> Result<Self, Error> {
        let mut sorted = Self { around, plain: Vec::new(), all: Vec::new(), any: BTreeMap::new() };
        for Arrival { node, late } in arrivals {
            match around.node(&node)?.join {
                None => sorted.plain.push((node, late)),
                Some(Join::All) => sorted.all.push((node, late)),
                Some(Join::Any) if late.contains(&node) => {}
                Some(Join::Any) => merge(&mut sorted.any, node, late),
            }
        }
        Ok(sorted)
    }

    /// What is activated now; who waits, and who is late, is noted.
    pub(super) fn next(mut self, control: &mut Control) -> Next {
        for (join, late) in std::mem::take(&mut self.all) {
            if control.arrived.insert(join.clone()) {
                control.late.insert(join, late);
            } else if let Some(before) = control.late.get_mut(&join) {
                before.retain(|one| late.contains(one));
            }
        }
        control.late.retain(|_, late| !late.is_empty());
        let mut next = Next { nodes: std::mem::take(&mut self.plain), dropped: Vec::new() };
        while let Some((join, late)) = self.any.pop_first() {
            self.run_any(&join, &mut next, control);
            next.nodes.push((join, late));
        }
        if control.arrived.is_empty() {
            next.nodes.sort_by(|left, right| left.0.cmp(&right.0));
            return next;
        }
        let graph = self.around.graph;
        let open: Vec<NodePath> = control.open.keys().map(|id| owner(&id.node)).collect();
        let active: BTreeSet<&NodePath> = open.iter().chain(next.nodes.iter().map(|(node, _)| node)).collect();
        for path in join::ready(graph, &control.arrived, &active) {
            control.arrived.remove(&path);
            let late = control.late.remove(&path).unwrap_or_default();
            next.nodes.push((path, late));
        }
        next.nodes.sort_by(|left, right| left.0.cmp(&right.0));
        next
    }

    /// Drops who leads to a `join: any` and nowhere else, and marks who else leads there.
    fn run_any(&mut self, join: &NodePath, next: &mut Next, control: &mut Control) {
        let known = self.around.graph.known();
        let goes = |node: &NodePath| node != join && known.leads_only(node, join);
        let mark = |node: &NodePath, late: &mut Late| {
            if node != join && known.leads(node, join) {
                late.insert(join.clone());
            }
        };
        self.any.retain(|node, _| !goes(node));
        self.any.iter_mut().for_each(|(node, late)| mark(node, late));
        next.nodes.retain(|(node, _)| !goes(node));
        next.nodes.iter_mut().for_each(|(node, late)| mark(node, late));
        control.open.retain(|id, open| {
            let node = owner(&id.node);
            let stays = !goes(&node);
            if stays {
                mark(&node, &mut open.late);
            } else {
                next.dropped.push(id.clone());
            }
            stays
        });
        control.arrived.retain(|node| !goes(node));
        for node in &control.arrived {
            let late = control.late.entry(node.clone()).or_default();
            mark(node, late);
        }
        let arrived = &control.arrived;
        control.late.retain(|node, late| arrived.contains(node) && !late.is_empty());
    }
}

/// Of two branches that go on as one, it is late only for what both are late for.
fn merge(arrived: &mut BTreeMap<NodePath, Late>, node: NodePath, late: Late) {
    match arrived.get_mut(&node) {
        Some(before) => before.retain(|one| late.contains(one)),
        None => _ = arrived.insert(node, late),
    }
}
