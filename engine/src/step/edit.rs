//! Changing a thread's state from outside: channel values as an editor wants them, in a
//! checkpoint of its own.

use std::collections::BTreeMap;

use baton_common::commit::Segment;
use baton_common::records::Checkpoint;
use baton_common::{Failure, NodePath, Timestamp};
use serde_json::Value;

use super::delta::Delta;
use super::reducers::{Change, Current, Write, reduce};
use super::{checkpoint, snapshot};
use crate::graph::{Channel, Graph, Reducer};
use crate::spec::names::nearest;
use crate::state::RunState;

/// Who wrote a channel that was edited; no node has such a path.
const EDITOR: &str = "/edit";

/// Replaces channel values, whatever their reducers; null unsets. Activations that are open
/// go on seeing the state they were made from.
///
/// # Errors
/// `unknown_channel` or `type_mismatch`.
pub fn edit(
    graph: &Graph,
    mut state: RunState,
    writes: &BTreeMap<String, Value>,
    now: Timestamp,
) -> Result<(RunState, Checkpoint, Vec<Segment>), Failure> {
    let editor = NodePath::parse(EDITOR).map_err(|error| Failure::invalid("wrong_name", error.to_string()))?;
    let mut delta = Delta::default();
    for (name, value) in writes {
        let found = graph.channels.get_key_value(name.as_str());
        let (name, channel) = found.ok_or_else(|| unknown(graph, name))?;
        delta.wrote.insert(name.clone(), editor.clone());
        if channel.reducer.is_append_like() {
            delta.reset_list(name);
        }
        match replaced(name, channel, value.clone())? {
            Change::Reset if channel.reducer.is_append_like() => {}
            Change::Reset => _ = delta.set.insert(name.clone(), None),
            Change::Set(value) => _ = delta.set.insert(name.clone(), Some(value)),
            Change::Extend(elements) | Change::Rewrite(elements) => delta.extend(name, elements),
        }
    }
    snapshot::preserve(graph, &mut state.control, &state.values, &delta);
    let mut draft = checkpoint::write_beside(graph, &mut state, delta);
    let pieces = std::mem::take(&mut draft.pieces);
    let made = draft.finish(&state, now).map_err(|error| Failure::permanent("edit_failed", error.to_string()))?;
    Ok((state, made, pieces))
}

/// A value in the place of whatever a channel holds.
fn replaced(name: &str, channel: &Channel, value: Value) -> Result<Change, Failure> {
    let is_list = channel.reducer.is_append_like();
    if is_list && !value.is_array() && !value.is_null() {
        return Err(Failure::invalid("type_mismatch", format!("channel {name} takes a whole list")));
    }
    let reducer = if is_list { channel.reducer } else { Reducer::Replace };
    let default = if is_list { Value::Null } else { channel.default.clone() };
    let channel = Channel { reducer, default, ..channel.clone() };
    reduce(name, &channel, Current::Unset, Write::Own(value))
}

fn unknown(graph: &Graph, name: &str) -> Failure {
    let near = nearest(name, graph.channels.keys().map(|name| &**name));
    let hint = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
    Failure::invalid("unknown_channel", format!("there is no channel {name}{hint}"))
}
