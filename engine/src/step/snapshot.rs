//! Keeps what open activations were made from while others go on writing: a channel is
//! copied when it is about to change and somebody who is open reads it.

use baton_common::Shared;
use serde_json::Value;

use super::activate::owner;
use super::delta::Delta;
use super::scope::first;
use crate::graph::Graph;
use crate::state::{Control, Kept, Values};

/// Keeps what `delta` is about to change for whoever is open and reads it.
pub(super) fn preserve(graph: &Graph, control: &mut Control, values: &Values, delta: &Delta) {
    if delta.touched().next().is_none() {
        return;
    }
    for (id, open) in &mut control.open {
        if open.at_once {
            // It is activated again on the head.
            continue;
        }
        let reads = graph.known().reads(&owner(&id.node));
        let is_asked = open.approval.as_ref().is_some_and(|approval| !approval.given);
        let names = if is_asked { &reads.at_all } else { &reads.at_fold };
        for (name, only_grows) in delta.touched().filter(|(name, _)| names.contains(&***name)) {
            let value = values.get(name);
            let whole = || value.cloned().unwrap_or_else(|| Shared::from(Value::Null));
            let kept = match (open.kept.get(name), value) {
                (Some(Kept::Value(_)), _) => continue,
                (Some(Kept::Length(_)), _) if only_grows => continue,
                (Some(Kept::Length(length)), _) => Kept::Value(first(&whole(), *length).into()),
                (None, Some(value)) if only_grows && value.is_array() => {
                    Kept::Length(value.as_array().map_or(0, Vec::len) as u64)
                }
                (None, _) => Kept::Value(whole()),
            };
            open.kept.insert(name.clone(), kept);
        }
    }
}
