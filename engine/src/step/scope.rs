//! What the names in a node's expressions stand for.
//!
//! `state` is built of the channels a node reads, from one of two views: the head, or the
//! snapshot a node was activated on.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::Failure;
use serde_json::{Map, Value, json};

use super::references::Names;
use crate::expr::Scope;
use crate::graph::{Channel, Graph};
use crate::state::{Kept, Open, RunState};

/// The names every expression of a run sees.
#[derive(Debug)]
pub(super) struct Base {
    input: Value,
    run: Value,
}

impl Base {
    /// The input with its defaults, and `run`.
    pub(super) fn new(graph: &Graph, state: &RunState) -> Self {
        Self {
            input: with_defaults(&graph.input, &state.input),
            run: json!({
                "id": state.run.to_string(),
                "thread": state.thread.thread.as_str(),
                "request_id": state.request_id,
                "graph": graph.name,
            }),
        }
    }

    /// A scope with these channels.
    pub(super) fn scope<'a>(&'a self, state: &'a Value) -> Scope<'a> {
        Scope { input: Some(&self.input), state: Some(state), run: Some(&self.run), ..Scope::default() }
    }
}

fn with_defaults(schema: &Value, input: &Value) -> Value {
    let (Some(properties), Value::Object(members)) = (schema.get("properties").and_then(Value::as_object), input)
    else {
        return input.clone();
    };
    let mut members = members.clone();
    for (name, property) in properties {
        if !members.contains_key(name)
            && let Some(default) = property.get("default")
        {
            members.insert(name.clone(), default.clone());
        }
    }
    Value::Object(members)
}

/// These channels as they are at the head.
pub(super) fn at_head(graph: &Graph, values: &BTreeMap<String, Arc<Value>>, names: &Names) -> Value {
    object(graph, names, |name| values.get(name).map(|value| Value::clone(value)))
}

/// These channels as they were when the node was activated.
pub(super) fn at_snapshot(
    graph: &Graph,
    values: &BTreeMap<String, Arc<Value>>,
    open: Option<&Open>,
    names: &Names,
) -> Value {
    object(graph, names, |name| match open.and_then(|open| open.kept.get(name)) {
        Some(Kept::Value(value)) => Some(value.clone()),
        Some(Kept::Length(length)) => values.get(name).map(|value| first(value, *length)),
        None => values.get(name).map(|value| Value::clone(value)),
    })
}

/// The first elements of a list.
pub(super) fn first(list: &Value, length: u64) -> Value {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Value::Array(list.as_array().map(|elements| elements.iter().take(length).cloned().collect()).unwrap_or_default())
}

/// How an unset channel reads.
pub(super) fn unset(channel: &Channel) -> Value {
    let is_array = channel.schema.get("type").and_then(Value::as_str) == Some("array");
    if channel.default.is_null() && is_array { json!([]) } else { channel.default.clone() }
}

fn object(graph: &Graph, names: &Names, value_of: impl Fn(&str) -> Option<Value>) -> Value {
    let mut members = Map::new();
    for (name, channel) in names.iter().filter_map(|name| graph.channels.get_key_value(name)) {
        let value = value_of(name).filter(|value| !value.is_null()).unwrap_or_else(|| unset(channel));
        members.insert(name.clone(), value);
    }
    Value::Object(members)
}

/// What `error` reads as.
pub(super) fn error_value(node: &str, failure: &Failure) -> Value {
    json!({"code": failure.code, "message": failure.message, "node": node})
}
