//! The writes of one superstep, gathered before anything is changed.
//!
//! A superstep that fails drops its delta whole; one that goes on hands it to
//! [`super::checkpoint`].

use std::collections::BTreeMap;

use baton_common::{ChannelName, NodePath, Shared};
use serde_json::Value;

use super::reducers::{Change, Current, Head};
use crate::state::Values;

/// What a superstep writes so far.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// Replace-like channels; `None` unsets.
    pub(super) set: BTreeMap<ChannelName, Option<Shared>>,
    /// Append-like channels.
    pub(super) lists: BTreeMap<ChannelName, Growth>,
    /// Who wrote last.
    pub(super) wrote: BTreeMap<ChannelName, NodePath>,
    /// Whether nobody will see who wrote.
    pub(super) is_private: bool,
}

/// What becomes of a list.
#[derive(Debug, Default)]
pub(super) struct Growth {
    /// What it held goes.
    pub(super) reset: bool,
    /// What it grows by.
    pub(super) added: Vec<Value>,
}

impl Delta {
    /// What a channel holds after the writes so far.
    pub(super) fn current<'a>(&'a self, values: &'a Values, name: &str) -> Current<'a> {
        if let Some(set) = self.set.get(name) {
            return Current::held(set.as_ref());
        }
        let head = Current::held(values.get(name));
        let Some(growth) = self.lists.get(name) else { return head };
        let before = match head {
            Current::List(before, _) if !growth.reset => before,
            _ => Head::Own(&[]),
        };
        let is_empty = before.elements().is_empty() && growth.added.is_empty();
        if is_empty { Current::Unset } else { Current::List(before, &growth.added) }
    }

    /// Whether nobody wrote a channel yet.
    pub(super) fn lacks(&self, name: &str) -> bool {
        !self.set.contains_key(name) && !self.lists.contains_key(name)
    }

    /// Adds a node's write.
    pub(super) fn write(&mut self, node: &NodePath, name: &ChannelName, is_append_like: bool, change: Change) {
        if !self.is_private {
            self.wrote.insert(name.clone(), node.clone());
        }
        match change {
            Change::Reset if is_append_like => self.reset_list(name),
            Change::Reset => {
                self.set.insert(name.clone(), None);
            }
            Change::Set(value) => {
                self.set.insert(name.clone(), Some(value));
            }
            Change::Extend(added) => self.extend(name, added),
            Change::Rewrite(elements) => {
                self.reset_list(name);
                self.extend(name, elements);
            }
        }
    }

    /// Lets a list grow.
    pub(super) fn extend(&mut self, name: &ChannelName, mut added: Vec<Value>) {
        self.lists.entry(name.clone()).or_default().added.append(&mut added);
    }

    /// Unsets a list.
    pub(super) fn reset_list(&mut self, name: &ChannelName) {
        self.lists.insert(name.clone(), Growth { reset: true, added: Vec::new() });
    }

    /// Channels it changes, and whether each only grows.
    pub(super) fn touched(&self) -> impl Iterator<Item = (&ChannelName, bool)> {
        let sets = self.set.keys().map(|name| (name, false));
        let lists = self.lists.iter().filter(|(_, growth)| growth.reset || !growth.added.is_empty());
        sets.chain(lists.map(|(name, growth)| (name, !growth.reset)))
    }
}
