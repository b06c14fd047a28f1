//! Which channels a node's expressions and templates read.
//!
//! Found in their texts and rather too many than too few: a text that uses `state` in
//! another way than `state.name` reads all of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expr::Template;
use crate::graph::{AskForm, Graph, Node, Route, Target, ToolCall, Work};

/// Names of channels.
pub(super) type Names = BTreeSet<String>;

/// What is read when the node is activated: its list, arguments and question.
pub(super) fn at_activation(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    if let Some(each) = &node.each {
        from_text(graph, each.list.text(), &mut names);
    }
    match &node.work {
        Work::Tool(ToolCall { args, .. }) | Work::Notify(ToolCall { args, .. }) => {
            from_template(graph, args, &mut names);
        }
        Work::Ask(ask) => {
            from_template(graph, &ask.title, &mut names);
            for (_, shown) in &ask.show {
                from_text(graph, shown.text(), &mut names);
            }
            if let AskForm::Approval { edit, .. } = &ask.form {
                from_text(graph, edit.text(), &mut names);
            }
        }
        Work::Local => {}
    }
    names
}

/// What is read when it is folded: `save`, `then`, `on_error`, what is kept of items, and
/// what an approval was about.
pub(super) fn at_fold(graph: &Graph, node: &Node) -> Names {
    let mut names = Names::new();
    for save in node.save.values() {
        from_text(graph, save.text(), &mut names);
    }
    from_route(graph, &node.then, &mut names);
    if let Some(route) = &node.on_error {
        from_route(graph, route, &mut names);
    }
    if let Some(each) = &node.each {
        from_text(graph, each.list.text(), &mut names);
        if let Some(keep) = &each.keep {
            from_text(graph, keep.text(), &mut names);
        }
    }
    if let Work::Ask(ask) = &node.work
        && let AskForm::Approval { edit, .. } = &ask.form
    {
        from_text(graph, edit.text(), &mut names);
    }
    names
}

/// What the graph's output reads.
pub(super) fn at_end(graph: &Graph) -> Names {
    let mut names = Names::new();
    for output in graph.output.values() {
        from_text(graph, output.text(), &mut names);
    }
    names
}

fn from_route(graph: &Graph, route: &Route, names: &mut Names) {
    for arm in &route.arms {
        if let Some(when) = &arm.when {
            from_text(graph, when.text(), names);
        }
        if let Target::Fail(message) = &arm.target {
            from_template(graph, message, names);
        }
    }
}

fn from_template(graph: &Graph, template: &Template, names: &mut Names) {
    from_leaves(graph, template.source(), names);
}

fn from_leaves(graph: &Graph, tree: &Value, names: &mut Names) {
    match tree {
        Value::String(text) => from_text(graph, text, names),
        Value::Array(elements) => elements.iter().for_each(|element| from_leaves(graph, element, names)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            from_text(graph, key, names);
            from_leaves(graph, value, names);
        }),
        _ => {}
    }
}

fn from_text(graph: &Graph, text: &str, names: &mut Names) {
    for (start, word) in text.match_indices("state") {
        let before = text[..start].chars().next_back();
        let after = &text[start + word.len()..];
        if before.is_some_and(is_name) || after.chars().next().is_some_and(is_name) {
            continue;
        }
        let member = after.trim_start().strip_prefix('.').map(str::trim_start);
        let name: String = member.unwrap_or_default().chars().take_while(|mark| is_name(*mark)).collect();
        if graph.channels.contains_key(&name) {
            names.insert(name);
        } else {
            names.extend(graph.channels.keys().cloned());
        }
    }
}

fn is_name(mark: char) -> bool {
    mark.is_alphanumeric() || mark == '_'
}
