//! Channels of messages: lists that grow as chats go on, where a message replaces the one
//! with its `id` and `{id, remove: true}` removes it.
//!
//! Only growth is cheap: a replacement writes the list anew.

use std::collections::BTreeSet;

use baton_common::{Failure, Hasher, canonical_json, id_of};
use serde_json::Value;

use super::reducers::{Change, Current, Head};
use super::types::conform;
use crate::graph::Channel;

/// What a write makes of a channel of messages. Messages without an id get one.
///
/// # Errors
/// `type_mismatch`.
pub(super) fn reduce(name: &str, channel: &Channel, current: Current<'_>, write: Value) -> Result<Change, Failure> {
    let default = channel.default.as_array().map(Vec::as_slice).unwrap_or_default();
    let (head, tail, is_unset) = match current {
        Current::List(head, tail) => (head, tail, false),
        Current::Unset | Current::One(_) => (Head::Own(default), &[][..], true),
    };
    let written = match write {
        Value::Array(elements) => elements,
        one => vec![one],
    };
    if written.is_empty() {
        return Ok(Change::Extend(Vec::new()));
    }
    if written.iter().filter_map(id_of).any(|id| is_known(head, tail, id)) || removes_or_repeats(&written) {
        let held = head.elements().iter().chain(tail).cloned().collect();
        let rewritten = rewrite(name, held, written);
        return list(conform(name, &channel.schema, Value::Array(rewritten))?).map(Change::Rewrite);
    }
    let mut added: Vec<Value> = if is_unset { default.to_vec() } else { Vec::new() };
    let before = if is_unset { 0 } else { head.elements().len() + tail.len() };
    for message in written {
        let number = before + added.len();
        let message = with_id(name, message, number, |id| is_known(head, tail, id) || has(&added, id));
        added.push(message);
    }
    list(conform(name, &channel.schema, Value::Array(added))?).map(Change::Extend)
}

fn removes_or_repeats(written: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    written.iter().any(|message| removed(message).is_some() || id_of(message).is_some_and(|id| !seen.insert(id)))
}

fn rewrite(name: &str, mut messages: Vec<Value>, written: Vec<Value>) -> Vec<Value> {
    for message in written {
        if let Some(gone) = removed(&message) {
            messages.retain(|held| id_of(held) != Some(gone));
            continue;
        }
        let at = id_of(&message).and_then(|own| messages.iter().position(|held| id_of(held) == Some(own)));
        if let Some(at) = at {
            messages[at] = message;
        } else {
            let message = with_id(name, message, messages.len(), |id| has(&messages, id));
            messages.push(message);
        }
    }
    messages
}

fn removed(message: &Value) -> Option<&str> {
    let is_removal = message.get("remove").and_then(Value::as_bool) == Some(true);
    id_of(message).filter(|_| is_removal)
}

fn is_known(head: Head<'_>, tail: &[Value], own: &str) -> bool {
    let in_head = match head {
        Head::Held(list) => list.has_id(own),
        Head::Own(elements) => has(elements, own),
    };
    in_head || has(tail, own)
}

fn has(messages: &[Value], own: &str) -> bool {
    messages.iter().any(|held| id_of(held) == Some(own))
}

/// An object with an id of its content and place, another where that is taken.
fn with_id(name: &str, mut message: Value, number: usize, is_taken: impl Fn(&str) -> bool) -> Value {
    if let Value::Object(members) = &message
        && members.get("id").is_none_or(Value::is_null)
    {
        let text = canonical_json(&message);
        let numbered = |number: u64| Hasher::new().field("message").field(name).field(&text).number(number).finish();
        let mut ids = (number as u64..).map(|number| numbered(number).to_string());
        let own = ids.find(|id| !is_taken(id));
        if let (Value::Object(members), Some(own)) = (&mut message, own) {
            members.insert("id".to_owned(), Value::String(own));
        }
    }
    message
}

fn list(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(elements) => Ok(elements),
        other => Ok(vec![other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Reducer;
    use serde_json::json;

    fn write(held: &Value, write: Value) -> Change {
        let channel =
            Channel { schema: json!({"type": "array"}), reducer: Reducer::Messages, default: json!([]), keep: true };
        reduce("chat", &channel, Current::of(Some(held)), write).unwrap()
    }

    #[test]
    fn new_messages_only_let_the_list_grow_and_get_ids() {
        let held = json!([{"id": "a", "text": "1"}]);
        let Change::Extend(added) = write(&held, json!([{"text": "2"}, {"text": "2"}, {"id": "b", "text": "3"}]))
        else {
            panic!("it grows")
        };
        let ids: BTreeSet<&str> = added.iter().filter_map(id_of).collect();
        assert_eq!((added.len(), ids.len()), (3, 3));
        assert_eq!(write(&held, json!({"text": "2"})), write(&held, json!({"text": "2"})));
        assert_eq!(write(&held, json!("plain")), Change::Extend(vec![json!("plain")]));
    }

    #[test]
    fn a_message_replaces_the_one_with_its_id_in_its_place() {
        let held = json!([{"id": "a", "text": "1"}, {"id": "b", "text": "2"}]);
        let expected = vec![json!({"id": "a", "text": "new"}), json!({"id": "b", "text": "2"})];
        assert_eq!(write(&held, json!({"id": "a", "text": "new"})), Change::Rewrite(expected));
        let twice = json!([{"id": "c", "text": "1"}, {"id": "c", "text": "2"}]);
        assert_eq!(write(&json!([]), twice), Change::Rewrite(vec![json!({"id": "c", "text": "2"})]));
    }

    #[test]
    fn a_message_is_removed_by_its_id() {
        let held = json!([{"id": "a", "text": "1"}, {"id": "b", "text": "2"}]);
        let expected = Change::Rewrite(vec![json!({"id": "b", "text": "2"})]);
        assert_eq!(write(&held, json!({"id": "a", "remove": true})), expected);
        let both = json!([{"id": "a", "remove": true}, {"id": "a", "text": "again"}]);
        let expected = vec![json!({"id": "b", "text": "2"}), json!({"id": "a", "text": "again"})];
        assert_eq!(write(&held, both), Change::Rewrite(expected));
        assert_eq!(write(&held, json!({"id": "x", "remove": true})), Change::Rewrite(held.as_array().unwrap().clone()));
    }
}
