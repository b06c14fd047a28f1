//! What a superstep leaves behind: the new values, the pieces of lists, and the record of
//! what changed.
//!
//! The content hash chains what was written, free of generation and place, so that equal
//! histories have equal hashes.

use std::collections::BTreeMap;

use baton_common::commit::Segment;
use baton_common::records::{Checkpoint, Span};
use baton_common::{
    ChannelName, Hasher, JsonText, NodePath, Seq, Shared, Timestamp, append_canonical_json, canonical_json,
};
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
    writes: BTreeMap<ChannelName, Shared>,
    wrote: BTreeMap<ChannelName, NodePath>,
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
        put(state, &name, value);
    }
    for (name, growth) in delta.lists {
        if growth.reset {
            state.values.remove(&name);
        }
        extend(state, &name, growth.added);
    }
}

fn put(state: &mut RunState, name: &ChannelName, value: Option<Shared>) {
    match (value, state.values.get_mut(name)) {
        (Some(value), Some(held)) => *held = value,
        (Some(value), None) => _ = state.values.insert(name.clone(), value),
        (None, _) => _ = state.values.remove(name),
    }
}

/// Writes that are no superstep: an edit from outside.
pub(super) fn write_beside(graph: &Graph, state: &mut RunState, delta: Delta) -> Draft {
    advance(graph, state, delta, false)
}

fn advance(graph: &Graph, state: &mut RunState, delta: Delta, counts: bool) -> Draft {
    let parent = state.head;
    let grown: Vec<Elements> = delta.lists.values().map(|growth| Elements::of(&growth.added)).collect();
    state.hash = content_hash(graph, state, &delta, &grown);
    // What does not follow the one numbered before it needs nothing of before it: old
    // checkpoints go as far as a full one.
    let apart = state.used > parent;
    if apart {
        state.control.floor = state.used.0;
    }
    state.head = parent.max(state.used).next();
    state.used = Seq(0);
    state.superstep += u64::from(counts);
    let Delta { set, lists, wrote, .. } = delta;
    let bytes: u64 = set.iter().map(|(name, value)| weight(name, value.as_ref())).sum();
    let mut writes = BTreeMap::new();
    for (name, value) in set {
        put(state, &name, value.clone());
        writes.insert(name, value.unwrap_or_else(|| Value::Null.into()));
    }
    let lists = lists.into_iter().zip(grown);
    let pieces = lists.filter_map(|((name, growth), text)| grow(state, name, growth, text)).collect();
    state.control.since_full += bytes;
    let full = parent.0 == 0 || apart || state.control.since_full > state.control.full_bytes;
    if full {
        let replaced = state.values.iter().filter(|(name, _)| !is_append_like(graph, name));
        writes.extend(replaced.map(|(name, value)| (name.clone(), value.clone())));
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
        let control = JsonText::of(&state.control).map_err(|error| Error::Control(error.to_string()))?;
        Ok(Checkpoint {
            seq: state.head,
            parent: self.parent,
            run: state.run,
            r#gen: state.r#gen,
            superstep: state.superstep,
            at,
            full: self.full,
            writes: self.writes,
            large: BTreeMap::new(),
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

fn content_hash(graph: &Graph, state: &RunState, delta: &Delta, grown: &[Elements]) -> baton_common::Digest {
    let mut hasher = Hasher::new().field("checkpoint").field(state.hash.0);
    if state.superstep == 0 {
        hasher = hasher.field("start").field(graph.hash.to_string()).field(canonical_json(&state.input));
    }
    for (name, value) in &delta.set {
        hasher.add("set");
        hasher.add(name.as_bytes());
        match value {
            Some(value) => value.hash_into(&mut hasher),
            None => hasher.add("null"),
        }
    }
    for ((name, growth), grown) in delta.lists.iter().zip(grown) {
        hasher.add(if growth.reset { "reset" } else { "grow" });
        hasher.add(name.as_bytes());
        hasher = hasher.number(growth.added.len() as u64);
        grown.texts().for_each(|text| hasher.add(text));
    }
    hasher.finish()
}

/// The canonical text of a list, and where its elements end in it.
#[derive(Debug)]
struct Elements {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    fn of(elements: &[Value]) -> Self {
        let mut text = Vec::with_capacity(128);
        let mut ends = Vec::with_capacity(elements.len());
        text.push(b'[');
        for element in elements {
            if !ends.is_empty() {
                text.push(b',');
            }
            append_canonical_json(element, &mut text);
            ends.push(text.len());
        }
        text.push(b']');
        Self { text, ends }
    }

    /// The texts of the elements.
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(1).chain(self.ends.iter().map(|end| end + 1));
        starts.zip(&self.ends).filter_map(|(start, end)| self.text.get(start..*end))
    }

    fn into_body(self) -> String {
        String::from_utf8(self.text).unwrap_or_default()
    }
}

fn grow(state: &mut RunState, name: ChannelName, growth: Growth, text: Elements) -> Option<Segment> {
    if !state.segments.contains_key(&name) {
        state.segments.insert(name.clone(), Span::default());
    }
    let span = state.segments.get_mut(&name)?;
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
    extend(state, &name, growth.added);
    Some(Segment { channel: name, number, body: text.into_body() })
}

/// The whole list as one piece, behind every number that was used before the thread was set
/// back: states that were dropped keep theirs. A checkpoint adds one piece at most, so no
/// number was used beyond the seq of the last.
fn rewrite(state: &mut RunState, name: ChannelName, added: Vec<Value>, number: u64) -> Segment {
    extend(state, &name, added);
    state.segments.insert(name.clone(), Span { base: number, end: number + 1 });
    let body = match state.values.get(&name).map(|value| &**value) {
        Some(Value::Array(elements)) => Elements::of(elements).into_body(),
        _ => "[]".to_owned(),
    };
    Segment { channel: name, number, body }
}

fn extend(state: &mut RunState, name: &ChannelName, added: Vec<Value>) {
    if added.is_empty() {
        return;
    }
    match state.values.get_mut(name) {
        Some(held) => held.extend(added),
        None => _ = state.values.insert(name.clone(), Value::Array(added).into()),
    }
}

fn weight(name: &str, value: Option<&Shared>) -> u64 {
    let bytes = value.map_or(4, Shared::canonical_bytes);
    (name.len() + bytes) as u64
}

fn is_append_like(graph: &Graph, name: &str) -> bool {
    name == undo::OWED || graph.channels.get(name).is_some_and(|channel| channel.reducer.is_append_like())
}
