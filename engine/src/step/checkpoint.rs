//! What a superstep leaves behind: the new values, the pieces of lists, and the record of
//! what changed.
//!
//! The content hash chains what was written, free of generation and place, so that equal
//! histories have equal hashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::Segment;
use baton_common::records::{Checkpoint, Span};
use baton_common::{Hasher, NodePath, Seq, Timestamp, canonical_json};
use serde_json::Value;

use super::Error;
use super::delta::{Delta, Growth};
use super::undo;
use crate::graph::Graph;
use crate::state::RunState;

/// A checkpoint in the making: all but its control.
#[derive(Debug)]
pub(super) struct Draft {
    parent: Seq,
    full: bool,
    writes: BTreeMap<String, Value>,
    wrote: BTreeMap<String, NodePath>,
    /// New pieces of append-like channels.
    pub(super) pieces: Vec<Segment>,
}

/// Applies a superstep's writes: moves the state to its next checkpoint.
pub(super) fn write(graph: &Graph, state: &mut RunState, delta: Delta) -> Draft {
    advance(graph, state, delta, true)
}

/// Applies a superstep's writes to a run whose states nobody will see.
pub(super) fn apply(state: &mut RunState, delta: Delta) {
    state.head = state.head.next();
    state.superstep += 1;
    for (name, value) in delta.set {
        match value {
            Some(value) => state.values.insert(name, Arc::new(value)),
            None => state.values.remove(&name),
        };
    }
    for (name, growth) in delta.lists {
        if growth.reset {
            state.values.remove(&name);
        }
        extend(state, name, growth.added);
    }
}

/// Writes that are no superstep: an edit from outside.
pub(super) fn write_beside(graph: &Graph, state: &mut RunState, delta: Delta) -> Draft {
    advance(graph, state, delta, false)
}

fn advance(graph: &Graph, state: &mut RunState, delta: Delta, counts: bool) -> Draft {
    let parent = state.head;
    state.hash = content_hash(graph, state, &delta);
    if state.used > parent {
        state.control.floor = state.used.0;
    }
    state.head = parent.max(state.used).next();
    state.used = Seq(0);
    state.superstep += u64::from(counts);
    let Delta { set, lists, wrote } = delta;
    let bytes: u64 = set.iter().map(|(name, value)| weight(name, value.as_ref())).sum();
    let mut writes = BTreeMap::new();
    for (name, value) in set {
        match &value {
            Some(value) => state.values.insert(name.clone(), Arc::new(value.clone())),
            None => state.values.remove(&name),
        };
        writes.insert(name, value.unwrap_or(Value::Null));
    }
    let pieces = lists.into_iter().filter_map(|(name, growth)| grow(state, name, growth)).collect();
    state.control.since_full += bytes;
    let full = parent.0 == 0 || state.control.since_full > state.control.full_bytes;
    if full {
        let replaced = state.values.iter().filter(|(name, _)| !is_append_like(graph, name));
        writes.extend(replaced.map(|(name, value)| (name.clone(), Value::clone(value))));
        state.control.full_bytes = writes.iter().map(|(name, value)| weight(name, Some(value))).sum();
        state.control.since_full = 0;
    }
    Draft { parent, full, writes, wrote, pieces }
}

impl Draft {
    /// The record, with the state's control as it is now.
    ///
    /// # Errors
    /// When the control cannot be written as JSON.
    pub(super) fn finish(self, state: &RunState, at: Timestamp) -> Result<Checkpoint, Error> {
        let control = serde_json::to_value(&state.control).map_err(|error| Error::Control(error.to_string()))?;
        Ok(Checkpoint {
            seq: state.head,
            parent: self.parent,
            run: state.run,
            r#gen: state.r#gen,
            superstep: state.superstep,
            at,
            full: self.full,
            writes: self.writes,
            segments: state.segments.clone(),
            wrote: self.wrote,
            control,
            hash: state.hash,
        })
    }
}

/// What a run that starts drops of what its thread holds: all that is not kept over runs,
/// is no channel of the graph, or was kept in another form.
pub(super) fn resets(graph: &Graph, state: &RunState) -> Delta {
    let mut delta = Delta::default();
    for name in state.values.keys() {
        let was_list = state.segments.get(name).is_some_and(|span| span.base < span.end);
        let stays = graph
            .channels
            .get(name)
            .is_some_and(|channel| channel.keep && channel.reducer.is_append_like() == was_list);
        match (stays, was_list) {
            (true, _) => {}
            (false, true) => delta.reset_list(name),
            (false, false) => {
                delta.set.insert(name.clone(), None);
            }
        }
    }
    delta
}

fn content_hash(graph: &Graph, state: &RunState, delta: &Delta) -> baton_common::Digest {
    let mut hasher = Hasher::new().field("checkpoint").field(state.hash.0);
    if state.superstep == 0 {
        hasher = hasher.field("start").field(graph.hash.to_string()).field(canonical_json(&state.input));
    }
    for (name, value) in &delta.set {
        hasher = hasher.field("set").field(name).field(canonical_json(value.as_ref().unwrap_or(&Value::Null)));
    }
    for (name, growth) in &delta.lists {
        hasher = hasher.field(if growth.reset { "reset" } else { "grow" }).field(name);
        hasher = hasher.number(growth.added.len() as u64);
        hasher = growth.added.iter().fold(hasher, |hasher, element| hasher.field(canonical_json(element)));
    }
    hasher.finish()
}

fn grow(state: &mut RunState, name: String, growth: Growth) -> Option<Segment> {
    let span = state.segments.entry(name.clone()).or_default();
    if growth.reset {
        span.base = span.end;
        state.values.remove(&name);
    }
    if growth.added.is_empty() {
        return None;
    }
    let floor = state.control.floor;
    if span.end < floor {
        return Some(rewrite(state, name, growth.added, floor));
    }
    let number = span.end;
    span.end += 1;
    let body = list_text(&growth.added);
    extend(state, name.clone(), growth.added);
    Some(Segment { channel: name, number, body })
}

/// The whole list as one piece, behind every number that was used before the thread was set
/// back: states that were dropped keep theirs. A checkpoint adds one piece at most, so no
/// number was used beyond the seq of the last.
fn rewrite(state: &mut RunState, name: String, added: Vec<Value>, number: u64) -> Segment {
    extend(state, name.clone(), added);
    state.segments.insert(name.clone(), Span { base: number, end: number + 1 });
    let body = match state.values.get(&name).map(|value| &**value) {
        Some(Value::Array(elements)) => list_text(elements),
        _ => "[]".to_owned(),
    };
    Segment { channel: name, number, body }
}

fn extend(state: &mut RunState, name: String, added: Vec<Value>) {
    if added.is_empty() {
        return;
    }
    let held = state.values.entry(name).or_insert_with(|| Arc::new(Value::Array(Vec::new())));
    if let Value::Array(elements) = Arc::make_mut(held) {
        elements.extend(added);
    }
}

fn list_text(elements: &[Value]) -> String {
    let texts: Vec<String> = elements.iter().map(canonical_json).collect();
    format!("[{}]", texts.join(","))
}

fn weight(name: &str, value: Option<&Value>) -> u64 {
    let bytes = value.map_or(4, |value| canonical_json(value).len());
    (name.len() + bytes) as u64
}

fn is_append_like(graph: &Graph, name: &str) -> bool {
    name == undo::OWED || graph.channels.get(name).is_some_and(|channel| channel.reducer.is_append_like())
}
