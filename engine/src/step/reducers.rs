//! What one write makes of what a channel holds.
//!
//! Where the result is kept is [`super::delta`]'s business.

use std::collections::BTreeSet;

use baton_common::{Failure, Shared, canonical_json};
use serde_json::{Map, Number, Value};

use super::messages;
use super::types::{conform, conform_shared, name_of};
use crate::graph::{Channel, Reducer};

/// What a channel holds at the moment of a write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Current<'a> {
    /// Nothing: it reads as its default.
    Unset,
    /// A value.
    One(&'a Value),
    /// A list in two parts.
    List(Head<'a>, &'a [Value]),
}

/// The first part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Head<'a> {
    /// All of a list that several hold.
    Held(&'a Shared),
    /// Elements.
    Own(&'a [Value]),
}

impl<'a> Head<'a> {
    /// Its elements.
    pub(super) fn elements(self) -> &'a [Value] {
        match self {
            Self::Held(list) => list.as_array().map(Vec::as_slice).unwrap_or_default(),
            Self::Own(elements) => elements,
        }
    }
}

impl<'a> Current<'a> {
    /// What a channel of that value holds.
    pub(super) fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Unset,
            Some(Value::Array(elements)) => Self::List(Head::Own(elements), &[]),
            Some(value) => Self::One(value),
        }
    }

    /// The same of one that several hold.
    pub(super) fn held(value: Option<&'a Shared>) -> Self {
        match (value, Self::of(value.map(|value| &**value))) {
            (Some(list), Self::List(..)) => Self::List(Head::Held(list), &[]),
            (_, current) => current,
        }
    }
}

/// What an expression gave for a channel.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// A value of its own.
    Own(Value),
    /// One that others hold too.
    Held(Shared),
}

impl Write {
    fn is_null(&self) -> bool {
        match self {
            Self::Own(value) => value.is_null(),
            Self::Held(shared) => shared.is_null(),
        }
    }

    fn own(self) -> Value {
        match self {
            Self::Own(value) => value,
            Self::Held(shared) => shared.into(),
        }
    }

    fn shared(self) -> Shared {
        match self {
            Self::Own(value) => value.into(),
            Self::Held(shared) => shared,
        }
    }
}

/// What becomes of the channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// It is unset.
    Reset,
    /// It holds this.
    Set(Shared),
    /// Its list grows by these.
    Extend(Vec<Value>),
    /// Its list is this now.
    Rewrite(Vec<Value>),
}

/// What a write makes of a channel.
///
/// # Errors
/// `type_mismatch`, or `overflow` where a sum leaves its range.
pub(super) fn reduce(name: &str, channel: &Channel, current: Current<'_>, write: Write) -> Result<Change, Failure> {
    if write.is_null() {
        return Ok(Change::Reset);
    }
    if channel.reducer.replaces() {
        return conform_shared(name, &channel.schema, write.shared()).map(Change::Set);
    }
    let write = write.own();
    match channel.reducer {
        Reducer::Replace | Reducer::Last | Reducer::Append => extend(name, channel, current, write, false),
        Reducer::Messages => messages::reduce(name, channel, current, write),
        Reducer::Union => extend(name, channel, current, write, true),
        Reducer::Sum => {
            let before = match current {
                Current::One(value) => value,
                _ => &channel.default,
            };
            let sum = add(name, before, &write)?;
            conform(name, &channel.schema, sum).map(set)
        }
        Reducer::Merge => merge(name, channel, current, write),
    }
}

fn set(value: Value) -> Change {
    Change::Set(value.into())
}

fn extend(
    name: &str,
    channel: &Channel,
    current: Current<'_>,
    write: Value,
    once_each: bool,
) -> Result<Change, Failure> {
    let default = channel.default.as_array().map(Vec::as_slice).unwrap_or_default();
    let (head, tail, mut added) = match current {
        Current::List(head, tail) => (head.elements(), tail, Vec::new()),
        Current::Unset | Current::One(_) => (&[][..], &[][..], default.to_vec()),
    };
    let written = match write {
        Value::Array(elements) => elements,
        one => vec![one],
    };
    if written.is_empty() {
        return Ok(Change::Extend(Vec::new()));
    }
    if added.is_empty() && !once_each {
        added = written;
    } else if once_each {
        let mut known: BTreeSet<String> = head.iter().chain(tail).chain(&added).map(canonical_json).collect();
        added.extend(written.into_iter().filter(|element| known.insert(canonical_json(element))));
    } else {
        added.extend(written);
    }
    match conform(name, &channel.schema, Value::Array(added))? {
        Value::Array(added) => Ok(Change::Extend(added)),
        other => Ok(Change::Extend(vec![other])),
    }
}

fn add(name: &str, before: &Value, write: &Value) -> Result<Value, Failure> {
    let overflow = || Failure::invalid("overflow", format!("the sum of channel {name} leaves its range"));
    let left = match before {
        Value::Null => &Value::Number(Number::from(0)),
        value => value,
    };
    if let (Some(left), Some(right)) = (left.as_i64(), write.as_i64()) {
        return left.checked_add(right).map(Value::from).ok_or_else(overflow);
    }
    let (Some(left), Some(right)) = (left.as_f64(), write.as_f64()) else {
        let why = format!("channel {name} takes numbers, not {}", name_of(write));
        return Err(Failure::invalid("type_mismatch", why));
    };
    Number::from_f64(left + right).map(Value::Number).ok_or_else(overflow)
}

fn merge(name: &str, channel: &Channel, current: Current<'_>, write: Value) -> Result<Change, Failure> {
    let before = match current {
        Current::One(value) => value.as_object(),
        _ => channel.default.as_object(),
    };
    let Value::Object(members) = write else {
        let why = format!("channel {name} takes objects, not {}", name_of(&write));
        return Err(Failure::invalid("type_mismatch", why));
    };
    let mut merged: Map<String, Value> = before.cloned().unwrap_or_default();
    merged.extend(members);
    conform(name, &channel.schema, Value::Object(merged)).map(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn channel(kind: &str, reducer: Reducer, default: Value) -> Channel {
        Channel { schema: json!({"type": kind}), reducer, default, keep: false }
    }

    #[track_caller]
    fn check(channel: &Channel, current: Value, write: Value, expected: Result<Change, &str>) {
        let found = reduce("c", channel, Current::of(Some(&current)), Write::Own(write));
        assert_eq!(found.map_err(|failure| failure.code), expected.map_err(str::to_owned));
    }

    #[test]
    fn null_resets_under_every_reducer() {
        for reducer in [Reducer::Replace, Reducer::Append, Reducer::Union, Reducer::Sum, Reducer::Merge] {
            check(&channel("array", reducer, json!([])), json!([1]), json!(null), Ok(Change::Reset));
        }
    }

    #[test]
    fn a_list_adds_its_elements_and_anything_else_one() {
        let list = channel("array", Reducer::Append, json!([]));
        check(&list, json!([1]), json!([2, 3]), Ok(Change::Extend(vec![json!(2), json!(3)])));
        check(&list, json!([1]), json!({"a": 1}), Ok(Change::Extend(vec![json!({"a": 1})])));
    }

    #[test]
    fn the_first_append_goes_on_from_the_default() {
        let list = channel("array", Reducer::Append, json!([0]));
        check(&list, json!(null), json!(1), Ok(Change::Extend(vec![json!(0), json!(1)])));
    }

    #[test]
    fn a_union_keeps_the_first_of_equal_values() {
        let set = channel("array", Reducer::Union, json!([]));
        let write = json!([{"b": 2, "a": 1}, 3, 3]);
        check(&set, json!([{"a": 1, "b": 2}]), write, Ok(Change::Extend(vec![json!(3)])));
    }

    #[test]
    fn a_sum_starts_from_its_default_and_refuses_to_overflow() {
        let sum = channel("integer", Reducer::Sum, json!(5));
        check(&sum, json!(null), json!(2), Ok(set(json!(7))));
        check(&sum, json!(i64::MAX), json!(1), Err("overflow"));
        check(&sum, json!(1), json!(0.5), Err("type_mismatch"));
        check(&sum, json!(1), json!("1"), Err("type_mismatch"));
    }

    #[test]
    fn a_merge_stores_null_members() {
        let merge = channel("object", Reducer::Merge, json!(null));
        check(&merge, json!({"a": 1, "b": 1}), json!({"b": null}), Ok(set(json!({"a": 1, "b": null}))));
        check(&merge, json!({}), json!([1]), Err("type_mismatch"));
    }
}
