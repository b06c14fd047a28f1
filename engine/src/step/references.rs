//! Which channels a node's expressions and templates read.

use std::collections::BTreeSet;

use crate::expr::Paths;
use crate::graph::{AskForm, Graph, Node, Route, Target, ToolCall, Work};

/// Names of channels.
pub(super) type Names = BTreeSet<String>;

/// What is read when the node is activated: its list, arguments and question.
pub(super) fn at_activation(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    if let Some(each) = &node.each {
        add(graph, each.list.paths(), &mut names);
    }
    match &node.work {
        Work::Tool(ToolCall { args, .. }) | Work::Notify(ToolCall { args, .. }) => add(graph, args.paths(), &mut names),
        Work::Ask(ask) => {
            add(graph, ask.title.paths(), &mut names);
            for (_, shown) in &ask.show {
                add(graph, shown.paths(), &mut names);
            }
            if let AskForm::Approval { edit, .. } = &ask.form {
                add(graph, edit.paths(), &mut names);
            }
        }
        Work::Wait(_) | Work::Graph(_) | Work::Local => {}
    }
    names
}

/// What is read when it is folded: `save`, `then`, `on_error`, and what is kept of items.
pub(super) fn at_fold(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    for save in node.save.values() {
        add(graph, save.paths(), &mut names);
    }
    add_route(graph, &node.then, &mut names);
    if let Some(route) = &node.on_error {
        add_route(graph, route, &mut names);
    }
    if let Some(each) = &node.each {
        add(graph, each.list.paths(), &mut names);
        if let Some(keep) = &each.keep {
            add(graph, keep.paths(), &mut names);
        }
    }
    names
}

/// What the graph's output reads.
pub(super) fn at_end(graph: &Graph) -> Names {
    let mut names = Names::new();
    for output in graph.output.values() {
        add(graph, output.paths(), &mut names);
    }
    names
}

fn add_route(graph: &Graph, route: &Route, names: &mut Names) {
    for arm in &route.arms {
        if let Some(when) = &arm.when {
            add(graph, when.paths(), names);
        }
        if let Target::Fail(message) = &arm.target {
            add(graph, message.paths(), names);
        }
    }
}

fn add(graph: &Graph, paths: &Paths, names: &mut Names) {
    match paths.members("state") {
        Some(members) => names.extend(members.into_iter().map(str::to_owned)),
        None => names.extend(graph.channels.keys().cloned()),
    }
}
