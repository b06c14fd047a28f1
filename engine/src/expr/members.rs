//! The channels as the one object `state` reads as: each by its name, and none of them
//! copied unless all of it is wanted as a value.

use std::borrow::Cow;

use baton_common::Shared;
use serde_json::{Map, Value};

/// An object whose members lie where they are, in order of their names.
#[derive(Debug, Clone, Default)]
pub struct Members<'a>(Vec<(&'a str, Cow<'a, Value>)>);

impl<'a> Members<'a> {
    /// Adds a member behind all others, in order of names.
    pub fn push(&mut self, name: &'a str, value: Cow<'a, Value>) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < name), "members come in order of their names");
        self.0.push((name, value));
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value)
    }

    /// The member of that name, with the name as it lies here.
    pub(super) fn entry(&self, name: &str) -> Option<(&str, &Value)> {
        self.iter().find(|(own, _)| *own == name)
    }

    /// The same with other values of those that are named; names that are none stay away.
    #[must_use]
    pub fn with<'b>(&'b self, others: &'b [(&'b str, Shared)]) -> Members<'b> {
        let other = |name: &str| others.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value);
        let members = self.0.iter().map(|(name, value)| (*name, Cow::Borrowed(other(name).unwrap_or(value))));
        Members(members.collect())
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, &**value))
    }

    /// All of it as a value.
    pub(super) fn to_value(&self) -> Value {
        Value::Object(self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
    }
}

impl<'a> From<&'a Map<String, Value>> for Members<'a> {
    fn from(members: &'a Map<String, Value>) -> Self {
        let mut members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value))).collect();
        members.sort_by_key(|(name, _)| *name);
        Self(members)
    }
}

impl<'a> From<&'a Value> for Members<'a> {
    /// The members of an object; none of anything else.
    fn from(value: &'a Value) -> Self {
        value.as_object().map(Self::from).unwrap_or_default()
    }
}
