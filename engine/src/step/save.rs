//! What a node writes: all of its `save` on one snapshot, through the reducers, all of it
//! or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::Failure;
use serde_json::Value;

use super::delta::Delta;
use super::reducers::{Change, Current, reduce};
use super::scope::unset;
use crate::expr::Scope;
use crate::graph::{Graph, Node};

/// Adds a node's writes to the superstep's, and to the snapshot `then` will see.
///
/// # Errors
/// When an expression fails or a value does not fit its channel; nothing is written then.
pub(super) fn save(
    graph: &Graph,
    node: &Node,
    scope: &Scope<'_>,
    values: &BTreeMap<String, Arc<Value>>,
    delta: &mut Delta,
) -> Result<Vec<(String, Value)>, Failure> {
    let mut changes = Vec::with_capacity(node.save.len());
    let mut seen = Vec::new();
    for (name, expression) in &node.save {
        let Some(channel) = graph.channels.get(name) else {
            return Err(Failure::invalid("unknown_channel", format!("no channel {name}")));
        };
        let write = expression.eval(scope)?;
        if let Some(before) = scope.state.and_then(|state| state.get(name)) {
            let own = reduce(name, channel, Current::of(Some(before)), write.clone())?;
            seen.push((name.clone(), after(before, own).unwrap_or_else(|| unset(channel))));
        }
        let change = reduce(name, channel, delta.current(values, name), write)?;
        changes.push((name, channel.reducer.is_append_like(), change));
    }
    for (name, is_append_like, change) in changes {
        delta.write(&node.path, name, is_append_like, change);
    }
    Ok(seen)
}

fn after(before: &Value, change: Change) -> Option<Value> {
    match change {
        Change::Reset => None,
        Change::Set(value) => Some(value),
        Change::Rewrite(elements) => Some(Value::Array(elements)),
        Change::Extend(added) => {
            let mut elements = before.as_array().cloned().unwrap_or_default();
            elements.extend(added);
            Some(Value::Array(elements))
        }
    }
}
