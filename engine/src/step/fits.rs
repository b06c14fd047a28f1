//! Whether a run that is under way could go on with another version of its graph: what it
//! has open, holds and owes must mean the same there.
//!
//! What lies ahead of the run may differ in any way: that is what a new version is for. Who
//! pins the run to it, and when, is left to others.

use std::collections::BTreeSet;

use baton_common::{GroupId, NodePath};
use serde::Serialize;
use serde_json::Value;

use super::activate::owner;
use super::types::conform;
use super::undo;
use crate::graph::{AskForm, ForEach, Graph, Node, Reducer, ToolCall, Wait, Work};
use crate::state::{Open, RunState};

/// One reason why a run does not fit another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// Stable.
    pub code: &'static str,
    /// The node it is about, or empty.
    pub node: String,
    /// The channel it is about, or empty.
    pub channel: String,
    /// What is the matter.
    pub cause: String,
    /// What to do about it.
    pub cure: String,
}

/// Everything in which a run of `from` does not fit `to`, in the order of input, open work,
/// joins, channels and compensations; nothing where it can go on there.
#[must_use]
pub fn fits(from: &Graph, to: &Graph, state: &RunState) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    input(to, state, &mut misfits);
    for (id, open) in &state.control.open {
        open_work(from, to, id, open, &mut misfits);
    }
    for path in &state.control.arrived {
        join(from, to, path, &mut misfits);
    }
    for (name, value) in state.visible() {
        channel(from, to, state, &name, &value, &mut misfits);
    }
    let mut seen = BTreeSet::new();
    for (node, tool) in undo::owed_nodes(state) {
        if seen.insert((node.clone(), tool.clone())) {
            compensation(to, &node, &tool, &mut misfits);
        }
    }
    misfits
}

fn of_node(code: &'static str, node: &NodePath, cause: String, cure: &str) -> Misfit {
    Misfit { code, node: node.to_string(), channel: String::new(), cause, cure: cure.to_owned() }
}

/// The input a run has stays as it is: defaults are filled in at its submit only.
fn input(to: &Graph, state: &RunState, misfits: &mut Vec<Misfit>) {
    let cause = match to.check_input(&state.input) {
        Ok(checked) if checked == *state.input => return,
        Ok(_) => "the new version adds to the input or takes it as another type".to_owned(),
        Err(failure) => failure.message,
    };
    let cure = "keep the inputs that runs under way were given, and let new values come from channels with a default";
    let (node, channel) = (String::new(), String::new());
    misfits.push(Misfit { code: "input_changed", node, channel, cause, cure: cure.to_owned() });
}

fn open_work(from: &Graph, to: &Graph, id: &GroupId, open: &Open, misfits: &mut Vec<Misfit>) {
    let path = owner(&id.node);
    let Some(new) = to.nodes.get(&path) else {
        let cause = format!("{id} is open, and the new version has no node {path}");
        misfits.push(of_node(
            "node_gone",
            &path,
            cause,
            "keep the node until no run is at it, or wait until it is done",
        ));
        return;
    };
    let Some(old) = from.nodes.get(&path) else { return };
    let other = other_work(from, to, old, new).or_else(|| other_map(old.each.as_ref(), new.each.as_ref()));
    let unapproved = || (open.approval.is_some() && new.approve.is_none()).then(|| "asks nobody first".to_owned());
    if let Some(other) = other.or_else(unapproved) {
        let cause = format!("{id} is open, and the node {other} in the new version");
        let cure = "let a node of another name do the new work, or wait until this one is done";
        misfits.push(of_node("work_changed", &path, cause, cure));
    }
}

/// In which way a node does something else.
fn other_work(from: &Graph, to: &Graph, old: &Node, new: &Node) -> Option<String> {
    match (&old.work, &new.work) {
        (Work::Tool(old), Work::Tool(new)) | (Work::Notify(old), Work::Notify(new)) => other_tool(old, new),
        (Work::Ask(old), Work::Ask(new)) => {
            let same = match (&old.form, &new.form) {
                (AskForm::Approval { schema: old, .. }, AskForm::Approval { schema: new, .. })
                | (AskForm::Schema(old), AskForm::Schema(new)) => old == new,
                _ => false,
            };
            (!same).then(|| "wants another answer".to_owned())
        }
        (Work::Wait(old), Work::Wait(new)) => match (signal(old), signal(new)) {
            (old, new) if old == new => None,
            (_, Some(name)) => Some(format!("waits for signal {name}")),
            (_, None) => Some("waits for a time".to_owned()),
        },
        (Work::Graph(old), Work::Graph(new)) => {
            let gives = |graph: &Graph, name: &str| graph.children.get(name).map(|child| child.output_schema.clone());
            if old.name != new.name {
                Some(format!("calls {}", new.name))
            } else if gives(from, &old.name) != gives(to, &new.name) {
                Some(format!("calls a {} of another output", new.name))
            } else {
                None
            }
        }
        (Work::Local, Work::Local) => None,
        (_, new) => Some(format!("is {}", kind(new))),
    }
}

fn other_tool(old: &ToolCall, new: &ToolCall) -> Option<String> {
    (old.name != new.name).then(|| format!("calls {}", new.name))
}

fn signal(wait: &Wait) -> Option<&str> {
    match wait {
        Wait::Signal { name, .. } => Some(name),
        Wait::For(_) | Wait::Until(_) => None,
    }
}

fn kind(work: &Work) -> &'static str {
    match work {
        Work::Tool(_) => "a tool's call",
        Work::Ask(_) => "a question",
        Work::Notify(_) => "a notice",
        Work::Wait(_) => "a wait",
        Work::Graph(_) => "a graph's call",
        Work::Local => "without work",
    }
}

/// The items are looked up again when the map is folded: they must be the same ones.
fn other_map(old: Option<&ForEach>, new: Option<&ForEach>) -> Option<String> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (Some(old), Some(new)) => (old, new),
        (None, Some(_)) => return Some("runs for each item of a list".to_owned()),
        (Some(_), None) => return Some("runs once".to_owned()),
    };
    let text = |expr: &Option<crate::expr::Expr>| expr.as_ref().map(|expr| expr.text().to_owned());
    let same = old.list.text() == new.list.text()
        && text(&old.by) == text(&new.by)
        && text(&old.after) == text(&new.after)
        && old.on_item_error == new.on_item_error;
    (!same).then(|| "runs for other items".to_owned())
}

fn join(from: &Graph, to: &Graph, path: &NodePath, misfits: &mut Vec<Misfit>) {
    let kind = |graph: &Graph| graph.nodes.get(path).and_then(|node| node.join);
    if kind(to).is_none() || kind(from) != kind(to) {
        let cause = format!("a branch waits at the join of {path}, which the new version joins in another way or not");
        misfits.push(of_node("join_changed", path, cause, "keep the join until no run waits at it"));
    }
}

/// Before a run's first step only what earlier runs left on the thread counts.
fn channel(from: &Graph, to: &Graph, state: &RunState, name: &str, value: &Value, misfits: &mut Vec<Misfit>) {
    let new = to.channels.get(name);
    if state.superstep == 0 && new.is_none_or(|channel| !channel.keep) {
        return;
    }
    let misfit = |code, cause: String, cure: &str| {
        let (channel, cure) = (name.to_owned(), cure.to_owned());
        Misfit { code, node: String::new(), channel, cause, cure }
    };
    let Some(new) = new else {
        let cause = format!("channel {name} holds a value, and the new version has no such channel");
        misfits.push(misfit("channel_gone", cause, "keep the channel until no run holds a value in it"));
        return;
    };
    let cure = "give the new values a channel of another name";
    let old = from.channels.get(name).map(|channel| channel.reducer);
    if old.is_some_and(|old| !same_reducer(old, new.reducer)) {
        let cause = format!("channel {name} holds a value, and has another reducer in the new version");
        misfits.push(misfit("channel_changed", cause, cure));
        return;
    }
    let cause = match conform(name, &new.schema, value.clone()) {
        Ok(taken) if taken == *value => return,
        Ok(_) => format!("channel {name} takes its value as another type"),
        Err(failure) => failure.message,
    };
    misfits.push(misfit("channel_changed", cause, cure));
}

/// `replace` and `last` differ in what a graph may say only.
fn same_reducer(old: Reducer, new: Reducer) -> bool {
    let plain = |reducer| if reducer == Reducer::Last { Reducer::Replace } else { reducer };
    plain(old) == plain(new)
}

/// A compensation keeps its arguments; its node still says which secrets they may name.
fn compensation(to: &Graph, node: &str, tool: &str, misfits: &mut Vec<Misfit>) {
    let called = undo::call_of(to, node);
    if called.is_some_and(|call| call.name == tool) {
        return;
    }
    let cause = match called {
        None => {
            format!("{tool} may have to take back what {node} did, and the new version has no such node with an undo")
        }
        Some(call) => format!("{tool} may have to take back what {node} did, and the new version calls {}", call.name),
    };
    let cure = "keep the node with its undo until no run owes it".to_owned();
    misfits.push(Misfit { code: "undo_changed", node: node.to_owned(), channel: String::new(), cause, cure });
}
