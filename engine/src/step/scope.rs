//! What the names in a node's expressions stand for.
//!
//! `state` is built of the channels a node reads, from one of two views: the head, or the
//! snapshot a node was activated on.

use std::borrow::Cow;
use std::sync::Arc;

use baton_common::{Failure, Shared};
use serde_json::{Value, json};

use super::references::Names;
use crate::expr::{Members, Path, Scope};
use crate::graph::{Channel, Graph};
use crate::state::{Kept, Open, Parts, RunState, Values};

/// The names every expression of a run sees.
#[derive(Debug)]
pub(super) struct Base {
    input: Arc<Value>,
    /// Null where no expression asks for it.
    run: Value,
    parts: Parts,
}

impl Base {
    /// The input with its defaults, and `run`.
    pub(super) fn new(graph: &Graph, state: &RunState) -> Self {
        let run = || {
            json!({
                "id": state.run.to_string(),
                "thread": state.thread.thread.as_str(),
                "request_id": state.request_id,
                "graph": graph.name,
            })
        };
        Self {
            input: with_defaults(&graph.input, &state.input),
            run: if graph.known().names_run { run() } else { Value::Null },
            parts: state.parts.clone(),
        }
    }

    /// A part of the input that an expression points at, once for all channels that hold it.
    pub(super) fn part(&self, path: &Path, value: &Value) -> Shared {
        self.parts.part(path, value)
    }

    /// A scope with these channels.
    pub(super) fn scope<'a>(&'a self, state: &'a Members<'a>) -> Scope<'a> {
        Scope { input: Some(&self.input), state: Some(state), run: Some(&self.run), ..Scope::default() }
    }
}

fn with_defaults(schema: &Value, input: &Arc<Value>) -> Arc<Value> {
    let (Some(properties), Value::Object(members)) = (schema.get("properties").and_then(Value::as_object), &**input)
    else {
        return input.clone();
    };
    let absent = properties.iter().filter(|(name, _)| !members.contains_key(*name));
    let mut defaults = absent.filter_map(|(name, property)| Some((name, property.get("default")?))).peekable();
    if defaults.peek().is_none() {
        return input.clone();
    }
    let mut members = members.clone();
    members.extend(defaults.map(|(name, default)| (name.clone(), default.clone())));
    Arc::new(Value::Object(members))
}

/// These channels as they are at the head.
pub(super) fn at_head<'a>(graph: &'a Graph, values: &'a Values, names: &Names) -> Members<'a> {
    members(graph, names, |name| values.get(name).map(|value| Cow::Borrowed(&**value)))
}

/// These channels as they were when the node was activated.
pub(super) fn at_snapshot<'a>(
    graph: &'a Graph,
    values: &'a Values,
    open: Option<&'a Open>,
    names: &Names,
) -> Members<'a> {
    members(graph, names, |name| match open.and_then(|open| open.kept.get(name)) {
        Some(Kept::Value(value)) => Some(Cow::Borrowed(&**value)),
        Some(Kept::Length(length)) => values.get(name).map(|value| Cow::Owned(first(value, *length))),
        None => values.get(name).map(|value| Cow::Borrowed(&**value)),
    })
}

/// The first elements of a list.
pub(super) fn first(list: &Value, length: u64) -> Value {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Value::Array(list.as_array().map(|elements| elements.iter().take(length).cloned().collect()).unwrap_or_default())
}

/// How an unset channel reads.
pub(super) fn unset(channel: &Channel) -> &Value {
    static NO_ELEMENTS: Value = Value::Array(Vec::new());
    let is_array = || channel.schema.get("type").and_then(Value::as_str) == Some("array");
    if channel.default.is_null() && is_array() { &NO_ELEMENTS } else { &channel.default }
}

fn members<'a>(graph: &'a Graph, names: &Names, value_of: impl Fn(&str) -> Option<Cow<'a, Value>>) -> Members<'a> {
    let mut members = Members::default();
    for (name, channel) in names.iter().filter_map(|name| graph.channels.get_key_value(name.as_str())) {
        let value = value_of(name).filter(|value| !value.is_null()).unwrap_or_else(|| Cow::Borrowed(unset(channel)));
        members.push(name, value);
    }
    members
}

/// What `error` reads as.
pub(super) fn error_value(node: &str, failure: &Failure) -> Value {
    json!({"code": failure.code, "message": failure.message, "node": node})
}
