//! Which channels a node's expressions and templates read.

use std::collections::BTreeSet;

use crate::expr::Paths;
use crate::graph::{AskForm, Graph, Node, Route, Target, ToolCall, Wait, Work};

/// Names of channels.
pub(super) type Names = BTreeSet<String>;

/// What is read when the node is activated: its list, arguments and question.
pub(super) fn at_activation(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    activation(node, &mut |paths| add(graph, paths, &mut names));
    names
}

fn activation(node: &Node, mut read: &mut dyn FnMut(&Paths)) {
    if let Some(each) = &node.each {
        read(each.list.paths());
        each.by.iter().chain(&each.after).for_each(|expression| read(expression.paths()));
    }
    match &node.work {
        Work::Tool(call) | Work::Notify(call) => of_call(call, &mut read),
        Work::Ask(ask) => {
            read(ask.title.paths());
            ask.show.iter().for_each(|(_, shown)| read(shown.paths()));
            if let AskForm::Approval { edit, .. } = &ask.form {
                read(edit.paths());
            }
            ask.via.iter().for_each(|call| of_call(call, &mut read));
        }
        Work::Wait(Wait::Until(moment)) => read(moment.paths()),
        Work::Graph(call) => read(call.args.paths()),
        Work::Wait(_) | Work::Local => {}
    }
    if let Some(cache) = &node.cache {
        read(cache.key.paths());
    }
    if let Some(approve) = &node.approve {
        read(approve.when.paths());
    }
}

/// What is read while its tasks are under way, of the state it was activated on: what is
/// kept of items, whether a signal is the one, and whether a job is done.
pub(super) fn under_way(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    under_way_of(node, &mut |paths| add(graph, paths, &mut names));
    names
}

fn under_way_of(node: &Node, read: &mut dyn FnMut(&Paths)) {
    if let Some(each) = &node.each {
        read(each.list.paths());
        each.keep.iter().chain(&each.by).for_each(|expression| read(expression.paths()));
    }
    if let Work::Wait(Wait::Signal { matches: Some(matches), .. }) = &node.work {
        read(matches.paths());
    }
    if let Some(poll) = &node.poll {
        read(poll.until.paths());
    }
}

/// What is read when it is folded: `save`, `then`, `on_error`, what is kept of items, and
/// the arguments of its compensation.
pub(super) fn at_fold(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    folding(node, &mut |paths| add(graph, paths, &mut names));
    names
}

fn folding(node: &Node, mut read: &mut dyn FnMut(&Paths)) {
    node.save.values().for_each(|save| read(save.paths()));
    of_route(&node.then, &mut read);
    node.on_error.iter().for_each(|route| of_route(route, &mut read));
    if let Some(each) = &node.each {
        read(each.list.paths());
        each.keep.iter().chain(&each.by).chain(&each.after).for_each(|expression| read(expression.paths()));
    }
    if let Some(undo) = &node.undo {
        of_call(undo, &mut read);
    }
}

/// What the graph's output reads.
pub(super) fn at_end(graph: &Graph) -> Names {
    let mut names = Names::new();
    for output in graph.output.values() {
        add(graph, output.paths(), &mut names);
    }
    names
}

/// Whether an expression or template of the graph itself says who the run is.
pub(super) fn names_run(graph: &Graph) -> bool {
    let mut found = graph.output.values().any(|output| output.paths().roots().contains("run"));
    for node in graph.nodes.values() {
        let mut read = |paths: &Paths| found |= paths.roots().contains("run");
        activation(node, &mut read);
        folding(node, &mut read);
        under_way_of(node, &mut read);
    }
    found
}

fn of_call(call: &ToolCall, read: &mut impl FnMut(&Paths)) {
    read(call.args.paths());
    if let Some(key) = &call.key {
        read(key.paths());
    }
}

fn of_route(route: &Route, read: &mut impl FnMut(&Paths)) {
    for arm in &route.arms {
        if let Some(when) = &arm.when {
            read(when.paths());
        }
        if let Target::Fail(message) = &arm.target {
            read(message.paths());
        }
    }
}

fn add(graph: &Graph, paths: &Paths, names: &mut Names) {
    match paths.members("state") {
        Some(members) => names.extend(members.into_iter().map(str::to_owned)),
        None => names.extend(graph.channels.keys().map(|name| name.to_string())),
    }
}
