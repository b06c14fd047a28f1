//! Which of the joins that somebody arrived at may run now.

use std::collections::BTreeSet;

use baton_common::NodePath;

use crate::graph::Graph;

/// The joins that may run: nothing active can still reach them, nor a join that waits,
/// unless the two hold back each other and it is the first by name.
pub(super) fn ready(graph: &Graph, arrived: &BTreeSet<NodePath>, active: &BTreeSet<&NodePath>) -> Vec<NodePath> {
    if arrived.is_empty() {
        return Vec::new();
    }
    let known = graph.known();
    let is_held = |join: &NodePath| {
        let by_active = active.iter().any(|node| known.leads(node, join));
        by_active
            || arrived
                .iter()
                .any(|other| other != join && known.leads(other, join) && !(join < other && known.leads(join, other)))
    };
    let mut ready: Vec<NodePath> = arrived.iter().filter(|join| !is_held(join)).cloned().collect();
    if ready.is_empty() && active.is_empty() {
        ready.extend(arrived.first().cloned());
    }
    ready
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use baton_common::{Digest, GraphHash};
    use serde_json::json;

    use super::*;
    use crate::graph::{Join, Limits, Node, Retry, Route, Work};

    fn node(path: &NodePath) -> Node {
        let is_join = path.as_str().starts_with(['j', 'k']);
        Node {
            path: path.clone(),
            work: Work::Local,
            save: BTreeMap::new(),
            then: Route { arms: Vec::new() },
            on_error: None,
            join: is_join.then_some(Join::All),
            each: None,
            retry: Retry { attempts: 1, backoff_min_ms: 1, backoff_max_ms: 1, classes: Vec::new(), codes: Vec::new() },
            timeout_ms: 1,
            deadline_ms: None,
            priority: None,
            poll: None,
            undo: None,
            cache: None,
            approve: None,
        }
    }

    /// A graph of these edges, `a>b,c` each, that starts at `start`; `j` and `k` are joins.
    fn graph(start: &str, edges: &str) -> Graph {
        let path = |name: &str| NodePath::parse(name.trim()).unwrap();
        let paths = |names: &str| names.split(',').filter(|name| !name.trim().is_empty()).map(path).collect();
        let successors =
            edges.split_whitespace().filter_map(|edge| edge.split_once('>')).map(|(from, to)| (path(from), paths(to)));
        let successors: BTreeMap<NodePath, Vec<NodePath>> = successors.collect();
        Graph {
            name: "g".to_owned(),
            hash: GraphHash(Digest::default()),
            source: String::new(),
            input: json!({}),
            output: BTreeMap::new(),
            output_schema: json!({}),
            channels: BTreeMap::new(),
            start: paths(start),
            children: BTreeMap::new(),
            limits: Limits { steps: 1, duration_ms: None, tokens: None, cost_usd: None },
            on_busy: Default::default(),
            nodes: successors.keys().map(|path| (path.clone(), node(path))).collect(),
            successors,
            facts: Default::default(),
        }
    }

    #[track_caller]
    fn check(graph: &Graph, arrived: &[&str], active: &[&str], expected: &[&str]) {
        let arrived = arrived.iter().map(|name| NodePath::parse(name).unwrap()).collect();
        let active: Vec<NodePath> = active.iter().map(|name| NodePath::parse(name).unwrap()).collect();
        let found = ready(graph, &arrived, &active.iter().collect());
        assert_eq!(found.iter().map(NodePath::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_join_waits_for_what_can_still_reach_it() {
        let fork = graph("a,b", "a>j b>c c>j j>");
        check(&fork, &["j"], &["b"], &[]);
        check(&fork, &["j"], &["c"], &[]);
        check(&fork, &["j"], &[], &["j"]);
        check(&fork, &[], &[], &[]);
    }

    #[test]
    fn work_that_leads_elsewhere_does_not_hold_a_join() {
        let aside = graph("a,b,x", "a>j b>j x>y y> j>");
        check(&aside, &["j"], &["x"], &["j"]);
    }

    #[test]
    fn within_a_loop_only_ways_forward_count() {
        let turns = graph("head", "head>a,b a>j b>j j>tail tail>head,end end>");
        check(&turns, &["j"], &["b"], &[]);
        check(&turns, &["j"], &["tail"], &["j"]);
        let own_head = graph("a,b", "a>j b>j j>w w>j,out out>");
        check(&own_head, &["j"], &["w"], &["j"]);
    }

    #[test]
    fn a_loop_before_a_join_is_waited_for() {
        let before = graph("l,x", "l>m,j m>l x>j j>");
        check(&before, &["j"], &["m"], &[]);
        check(&before, &["j"], &["l"], &[]);
    }

    #[test]
    fn a_waiting_join_holds_back_the_joins_ahead_of_it() {
        let chain = graph("a,b,c", "a>j b>j j>k c>k k>");
        check(&chain, &["j", "k"], &["b"], &[]);
        check(&chain, &["j", "k"], &[], &["j"]);
        check(&chain, &["k"], &[], &["k"]);
    }

    #[test]
    fn of_two_that_hold_back_each_other_the_first_by_name_runs() {
        let tangle = graph("a,b", "a>j b>k j>k,end k>j,end end>");
        check(&tangle, &["j", "k"], &[], &["j"]);
        check(&tangle, &["k"], &[], &["k"]);
    }
}
