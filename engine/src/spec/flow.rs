//! How branches run through a graph: nodes nobody reaches, branches without an end,
//! branches that meet without a join, and writers that may write at once.
//!
//! Two branches of a fork are followed as pairs: which two nodes may be active at the same
//! time. A pair waits at joins as the engine does; the first to reach a `join: any` cancels
//! who leads nowhere else, and later arrivals are dropped. An edge back to a node that
//! dominates it starts the next turn of a loop and is not followed.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::{ChannelName, NodePath};

use super::document::{routes, successors, ways};
use super::loops;
use super::problem::{Place, Report};
use crate::graph::{Channel, Join, Node, Reducer, Target};

/// What is looked at.
pub(super) struct Flow<'g> {
    pub(super) nodes: &'g BTreeMap<NodePath, Node>,
    pub(super) start: &'g [NodePath],
    pub(super) places: &'g BTreeMap<NodePath, Place>,
    pub(super) channels: &'g BTreeMap<ChannelName, Channel>,
}

/// Reports everything.
pub(super) fn check(report: &mut Report, flow: &Flow<'_>) {
    let map = Map::new(flow);
    let mut sound = true;
    for node in 0..map.names.len() {
        if !map.reached.contains(&node) {
            sound = false;
            report
                .add("unreachable_node", flow.place(map.names[node]), format!("nothing leads to {}", map.names[node]))
                .help("name it in start, then or on_error, or delete it");
        } else if !map.ends.contains(&node) {
            sound = false;
            report
                .add(
                    "never_ends",
                    flow.place(map.names[node]),
                    format!("no way leads from {} to an end", map.names[node]),
                )
                .help("give the loop an arm { when: …, to: end }");
        }
    }
    if sound {
        let pairs = pairs(&map);
        meeting(report, flow, &map, &pairs);
        let active = |pair: &Pair| match pair {
            (Branch::Active(left), Branch::Active(right)) => Some((*left, *right)),
            _ => None,
        };
        let at_once: Vec<(usize, usize)> = pairs.iter().filter_map(active).collect();
        loops::check(report, flow, &map.names, &map.all, &at_once);
    }
}

impl Flow<'_> {
    pub(super) fn place(&self, name: &NodePath) -> Place {
        self.places.get(name).copied().unwrap_or_default()
    }
}

/// The graph by numbers.
struct Map<'g> {
    names: Vec<&'g NodePath>,
    /// Successors.
    all: Vec<Vec<usize>>,
    /// Successors without edges back.
    ahead: Vec<Vec<usize>>,
    /// The targets of each arm, without edges back.
    arms: Vec<Vec<Vec<usize>>>,
    joins: Vec<Option<Join>>,
    /// For each `join: any`, who leads to it and nowhere else.
    only: BTreeMap<usize, BTreeSet<usize>>,
    start: Vec<usize>,
    dominators: Vec<BTreeSet<usize>>,
    reached: BTreeSet<usize>,
    ends: BTreeSet<usize>,
    /// What can be reached ahead, the node itself left out.
    reach: Vec<BTreeSet<usize>>,
}

impl<'g> Map<'g> {
    fn new(flow: &Flow<'g>) -> Self {
        let names: Vec<&NodePath> = flow.nodes.keys().collect();
        let number = |name: &NodePath| names.binary_search(&name).ok();
        let all: Vec<Vec<usize>> =
            flow.nodes.values().map(|node| successors(node).iter().filter_map(number).collect()).collect();
        let start: Vec<usize> = flow.start.iter().filter_map(number).collect();
        let dominators = dominators(&all, &start);
        let is_back = |from: usize, to: usize| dominators[from].contains(&to);
        let ahead: Vec<Vec<usize>> =
            (0..all.len()).map(|from| all[from].iter().copied().filter(|to| !is_back(from, *to)).collect()).collect();
        let arms = flow.nodes.values().enumerate().map(|(from, node)| {
            let ways = routes(node).flat_map(ways);
            ways.map(|way| way.iter().filter_map(number).filter(|to| !is_back(from, *to)).collect()).collect()
        });
        let ends_here = |node: &Node| {
            routes(node).flat_map(|route| &route.arms).any(|arm| match &arm.target {
                Target::Nodes(nodes) => nodes.is_empty(),
                Target::Fail(_) => true,
            })
        };
        let joins: Vec<Option<Join>> = flow.nodes.values().map(|node| node.join).collect();
        let any = (0..all.len()).filter(|node| joins[*node] == Some(Join::Any));
        let only = any.map(|join| (join, only(&ahead, join))).collect();
        let sinks = flow.nodes.values().enumerate().filter(|(_, node)| ends_here(node)).map(|(number, _)| number);
        Self {
            arms: arms.collect(),
            joins,
            only,
            reached: closure(&all, start.iter().copied()),
            ends: closure(&reversed(&all), sinks),
            reach: (0..all.len()).map(|node| closure(&ahead, ahead[node].iter().copied())).collect(),
            names,
            all,
            ahead,
            start,
            dominators,
        }
    }
}

/// A branch of a pair: at work, or waiting at a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Branch {
    Active(usize),
    Waiting(usize),
}

type Pair = (Branch, Branch);

fn meeting(report: &mut Report, flow: &Flow<'_>, map: &Map<'_>, pairs: &BTreeSet<Pair>) {
    let mut met = BTreeSet::new();
    let mut writers = BTreeSet::new();
    for pair in pairs {
        let (Branch::Active(left), Branch::Active(right)) = pair else { continue };
        if left == right {
            met.insert(*left);
        } else {
            for channel in both_write(flow, map.names[*left], map.names[*right]) {
                writers.insert((channel, *left.min(right), *left.max(right)));
            }
        }
    }
    // Behind the first node where branches meet everything runs twice: only that is said.
    let first = |node: &usize| !met.iter().any(|other| other != node && map.reach[*other].contains(node));
    for node in met.iter().filter(|node| first(node)) {
        let name = map.names[*node];
        report
            .add(
                "missing_join",
                flow.place(name),
                format!("branches that run at once meet at {name}, which would run twice"),
            )
            .help("give it join: all, or join the branches before it");
    }
    for (channel, left, right) in writers {
        let (left, right) = (map.names[left], map.names[right]);
        report
            .add("concurrent_writers", flow.place(right), format!("{left} and {right} may write {channel} at once"))
            .help("declare the channel with reduce: last or append, or let one node write it");
    }
}

fn both_write<'g>(flow: &Flow<'g>, left: &NodePath, right: &NodePath) -> Vec<&'g str> {
    let saves = |name: &NodePath| flow.nodes.get(name).map(|node| &node.save);
    let (Some(left), Some(right)) = (saves(left), saves(right)) else { return Vec::new() };
    let replaces = |name: &str| flow.channels.get(name).is_some_and(|channel| channel.reducer == Reducer::Replace);
    left.keys().filter(|name| right.contains_key(*name) && replaces(name)).map(|name| &**name).collect()
}

/// Every pair of branches that may be there at the same time.
fn pairs(map: &Map<'_>) -> BTreeSet<Pair> {
    let mut seen = BTreeSet::new();
    let mut work = Vec::new();
    fork(&map.start, map, &mut work);
    for node in &map.reached {
        for arm in &map.arms[*node] {
            fork(arm, map, &mut work);
        }
    }
    while let Some((left, right)) = work.pop() {
        let pair = (left.min(right), left.max(right));
        if !seen.insert(pair) {
            continue;
        }
        advance(pair.0, pair.1, map, &mut work);
        advance(pair.1, pair.0, map, &mut work);
    }
    seen
}

fn fork(targets: &[usize], map: &Map<'_>, work: &mut Vec<Pair>) {
    for (index, left) in targets.iter().enumerate() {
        for right in &targets[index + 1..] {
            arrive(*left, Branch::Active(*right), map, work);
            arrive(*right, Branch::Active(*left), map, work);
        }
    }
}

/// Lets one branch of a pair go on while the other stays.
fn advance(moving: Branch, other: Branch, map: &Map<'_>, work: &mut Vec<Pair>) {
    match moving {
        Branch::Active(node) => map.ahead[node].iter().for_each(|next| arrive(*next, other, map, work)),
        Branch::Waiting(join) => {
            let held = match other {
                Branch::Active(node) => node == join || map.reach[node].contains(&join),
                // Of two joins that hold back each other the first by name runs.
                Branch::Waiting(before) => {
                    map.reach[before].contains(&join) && !(map.reach[join].contains(&before) && join < before)
                }
            };
            if !held {
                work.push((Branch::Active(join), other));
            }
        }
    }
}

fn arrive(node: usize, other: Branch, map: &Map<'_>, work: &mut Vec<Pair>) {
    match map.joins[node] {
        None => work.push((Branch::Active(node), other)),
        Some(Join::All) if other != Branch::Waiting(node) => work.push((Branch::Waiting(node), other)),
        Some(Join::All) => {}
        Some(Join::Any) => {
            let (Branch::Active(at) | Branch::Waiting(at)) = other;
            // Behind the join the other one has opened it, and this arrival is dropped.
            let late = map.dominators[at].contains(&node);
            let cancelled = map.only.get(&node).is_some_and(|only| only.contains(&at));
            if !late && !cancelled {
                work.push((Branch::Active(node), other));
            }
        }
    }
}

/// Who leads to a node and nowhere else: whatever can be reached without it leads to it.
fn only(ahead: &[Vec<usize>], join: usize) -> BTreeSet<usize> {
    let back = reversed(ahead);
    let leading = closure(&back, [join]);
    let astray = (0..ahead.len()).filter(|node| !leading.contains(node));
    let without: Vec<Vec<usize>> =
        (0..back.len()).map(|node| back[node].iter().copied().filter(|from| *from != join).collect()).collect();
    let elsewhere = closure(&without, astray);
    leading.into_iter().filter(|node| *node != join && !elsewhere.contains(node)).collect()
}

/// What can be reached, those it starts from included.
fn closure(edges: &[Vec<usize>], from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut work: Vec<usize> = from.into_iter().collect();
    while let Some(node) = work.pop() {
        if reached.insert(node) {
            work.extend(&edges[node]);
        }
    }
    reached
}

fn reversed(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut reversed = vec![Vec::new(); edges.len()];
    for (from, successors) in edges.iter().enumerate() {
        successors.iter().for_each(|to| reversed[*to].push(from));
    }
    reversed
}

/// For each node, those every way from the start goes through, the node itself included.
/// Empty for nodes nobody reaches.
fn dominators(edges: &[Vec<usize>], start: &[usize]) -> Vec<BTreeSet<usize>> {
    let before = reversed(edges);
    let reached = closure(edges, start.iter().copied());
    let mut dominators: Vec<Option<BTreeSet<usize>>> = vec![None; edges.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for node in &reached {
            let mut common: Option<BTreeSet<usize>> = start.contains(node).then(BTreeSet::new);
            for known in before[*node].iter().filter_map(|from| dominators[*from].as_ref()) {
                common = Some(match common {
                    Some(common) => common.intersection(known).copied().collect(),
                    None => known.clone(),
                });
            }
            let Some(mut common) = common else { continue };
            common.insert(*node);
            if dominators[*node].as_ref() != Some(&common) {
                dominators[*node] = Some(common);
                changed = true;
            }
        }
    }
    dominators.into_iter().map(Option::unwrap_or_default).collect()
}
