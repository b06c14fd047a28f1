//! What a node writes: all of its `save` on one snapshot, through the reducers, all of it
//! or nothing.

use std::borrow::Cow;

use baton_common::{Failure, Shared};
use serde_json::Value;

use super::delta::Delta;
use super::reducers::{Change, Current, Write, reduce};
use super::scope::{Base, unset};
use crate::expr::{Expr, Scope};
use crate::graph::{Channel, Graph, Node};
use crate::state::Values;

/// Adds a node's writes to the superstep's, and to the snapshot `then` will see.
///
/// # Errors
/// When an expression fails or a value does not fit its channel; nothing is written then.
pub(super) fn save<'n>(
    (graph, base): (&Graph, &Base),
    node: &'n Node,
    scope: &Scope<'_>,
    values: &Values,
    delta: &mut Delta,
) -> Result<Vec<(&'n str, Shared)>, Failure> {
    let mut changes = Vec::with_capacity(node.save.len());
    let mut seen = Vec::new();
    for (name, expression) in &node.save {
        let Some(channel) = graph.channels.get(name) else {
            return Err(Failure::invalid("unknown_channel", format!("no channel {name}")));
        };
        let write = written(base, expression, scope)?;
        let before = scope.state.and_then(|state| state.get(name));
        let alone = before.is_some_and(|before| is_alone(channel, before, values.get(name), delta, name));
        if let Some(before) = before.filter(|_| !alone) {
            let own = reduce(name, channel, Current::of(Some(before)), write.clone())?;
            seen.push((&**name, after(channel, before, own)));
        }
        // What a write replaces need not be found.
        let current = if channel.reducer.replaces() { Current::Unset } else { delta.current(values, name) };
        let change = reduce(name, channel, current, write)?;
        if let Some(before) = before.filter(|_| alone) {
            seen.push((&**name, after(channel, before, change.clone())));
        }
        changes.push((name, channel.reducer.is_append_like(), change));
    }
    for (name, is_append_like, change) in changes {
        delta.write(&node.path, name, is_append_like, change);
    }
    Ok(seen)
}

/// What an expression gives; of the input, each part once.
fn written(base: &Base, expression: &Expr, scope: &Scope<'_>) -> Result<Write, Failure> {
    Ok(match (expression.view(scope)?, expression.pointed()) {
        (Cow::Borrowed(value), Some(path)) if path[0] == "input" => Write::Held(base.part(path, value)),
        (value, _) => Write::Own(value.into_owned()),
    })
}

/// Whether what a node sees of a channel is what the superstep writes on: a write comes out
/// alike for both then.
fn is_alone(channel: &Channel, before: &Value, head: Option<&Shared>, delta: &Delta, name: &str) -> bool {
    let same = match head {
        Some(head) => std::ptr::eq(before, &**head),
        None => !channel.reducer.is_append_like() && std::ptr::eq(before, unset(channel)),
    };
    same && delta.lacks(name)
}

fn after(channel: &Channel, before: &Value, change: Change) -> Shared {
    match change {
        Change::Reset => unset(channel).clone().into(),
        Change::Set(value) => value,
        Change::Rewrite(elements) => Value::Array(elements).into(),
        Change::Extend(added) => {
            let mut elements = before.as_array().cloned().unwrap_or_default();
            elements.extend(added);
            Value::Array(elements).into()
        }
    }
}
