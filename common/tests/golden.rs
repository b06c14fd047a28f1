//! What earlier programs sent and stored, later ones must read: one file per form, of the
//! landing that made it. A file is never changed; a new form adds one beside it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "golden/hostile.rs"]
mod hostile;

use baton_common::commit::{Input, Question, RunEnd};
use baton_common::job::{Envelope, Grant, Outcome};
use baton_common::records::{Checkpoint, Event, GroupInfo, Interrupt, RunInfo, RunState, Task, Thread};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads the form, writes it again, and finds every member of the old text in the new one.
fn reads<T: DeserializeOwned + Serialize>(text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let form: T = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (old, new) = (serde_json::from_str(line).unwrap(), serde_json::to_value(&form).unwrap());
        assert!(holds(&new, &old), "read {old}, wrote {new}");
    }
}

/// Whether `new` has all that `old` has: members may be added, none may go or change.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        _ => new == old,
    }
}

#[test]
fn forms_of_the_first_landing_are_read() {
    reads::<Envelope>(include_str!("golden/v1-envelope.jsonl"));
    reads::<Grant>(include_str!("golden/v1-grant.jsonl"));
    reads::<Outcome>(include_str!("golden/v1-outcome.jsonl"));
    reads::<Input>(include_str!("golden/v1-input.jsonl"));
    reads::<Question>(include_str!("golden/v1-question.jsonl"));
    reads::<RunEnd>(include_str!("golden/v1-end.jsonl"));
    reads::<Thread>(include_str!("golden/v1-thread.jsonl"));
    reads::<RunInfo>(include_str!("golden/v1-run-info.jsonl"));
    reads::<RunState>(include_str!("golden/v1-run-state.jsonl"));
    reads::<GroupInfo>(include_str!("golden/v1-group-info.jsonl"));
    reads::<Task>(include_str!("golden/v1-task.jsonl"));
    reads::<Interrupt>(include_str!("golden/v1-interrupt.jsonl"));
    reads::<Checkpoint>(include_str!("golden/v1-checkpoint.jsonl"));
    reads::<Event>(include_str!("golden/v1-event.jsonl"));
}

#[test]
fn a_member_that_went_is_noticed() {
    assert!(!holds(&serde_json::json!({"a": 1}), &serde_json::json!({"a": 1, "b": 2})));
    assert!(holds(&serde_json::json!({"a": 1, "b": 2}), &serde_json::json!({"a": 1})));
}
