//! What an activation came to: the outcomes of its tasks made one output or one failure.
//!
//! What follows from it, [`super::superstep`] decides; what an answer comes to,
//! [`crate::answer`] has decided when it was given.

use baton_common::job::Outcome;
use baton_common::records::GroupInfo;
use baton_common::{ErrorClass, Failure, GroupId, Payload};
use serde_json::{Value, json};

use super::ClosedGroup;
use super::arguments::items;
use crate::expr::Scope;
use crate::graph::{ForEach, Node, OnItemError, Work};

/// An activation that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which one.
    pub(super) id: GroupId,
    /// How.
    pub(super) how: How,
}

/// How an activation ended.
#[derive(Debug)]
pub(super) enum How {
    /// Its group closed.
    Closed(Box<ClosedGroup>),
    /// It needed none.
    Inline,
    /// Before any work.
    Failed(Failure),
}

/// What it came to.
#[derive(Debug)]
pub(super) struct Folded {
    /// Its output, if nodes of its kind have one.
    pub(super) result: Result<Option<Value>, Failure>,
    /// Of a map: what failed, as `errors` reads.
    pub(super) errors: Option<Value>,
    /// What its chats cost.
    pub(super) tokens: u64,
}

/// Folds an activation in the scope of its snapshot.
pub(super) fn fold(node: &Node, how: How, scope: &Scope<'_>) -> Folded {
    let no_errors = node.each.as_ref().map(|_| json!([]));
    let (outcomes, info) = match how {
        How::Failed(failure) => return Folded { result: Err(failure), errors: no_errors, tokens: 0 },
        How::Inline if node.each.is_none() || matches!(node.work, Work::Notify(_)) => {
            return Folded { result: Ok(None), errors: no_errors, tokens: 0 };
        }
        How::Inline => (None, None),
        How::Closed(group) => (Some(group.outcomes), Some(group.info)),
    };
    let tokens = outcomes.as_deref().map_or(0, |outcomes| tokens(node, outcomes));
    match &node.each {
        None => {
            let outcome = outcomes.and_then(|outcomes| outcomes.into_iter().next()).flatten();
            let result = value_of(outcome, info.as_ref()).map(Some);
            Folded { result, errors: None, tokens }
        }
        Some(each) => match map(each, outcomes, info.as_ref(), scope) {
            Ok((result, errors)) => Folded { result: result.map(Some), errors: Some(errors), tokens },
            Err(failure) => Folded { result: Err(failure), errors: no_errors, tokens },
        },
    }
}

type Mapped = (Result<Value, Failure>, Value);

fn map(
    each: &ForEach,
    outcomes: Option<Vec<Option<Outcome>>>,
    info: Option<&GroupInfo>,
    scope: &Scope<'_>,
) -> Result<Mapped, Failure> {
    let items = items(each, scope)?;
    let mut outcomes = outcomes.unwrap_or_else(|| vec![Some(Outcome::value(Value::Null)); items.len()]);
    outcomes.resize(items.len(), None);
    let mut output = Vec::with_capacity(items.len());
    let mut errors = Vec::new();
    let mut first = None;
    let mut ok = 0_u32;
    for (index, (outcome, item)) in outcomes.into_iter().zip(&items).enumerate() {
        let was_cancelled = outcome.is_none();
        let scope = Scope { item: Some((&each.item_name, item)), ..*scope };
        match value_of(outcome, info).and_then(|value| keep(each, value, &scope)) {
            Ok(value) => {
                ok += 1;
                output.push(value);
            }
            Err(failure) => {
                output.push(Value::Null);
                if !was_cancelled || each.on_item_error == OnItemError::Collect {
                    let error = json!({"code": failure.code, "message": failure.message});
                    errors.push(json!({"index": index, "key": null, "item": item, "error": error}));
                }
                if first.as_ref().is_none_or(|(_, cancelled)| *cancelled && !was_cancelled) {
                    first = Some((failure, was_cancelled));
                }
            }
        }
    }
    let result = match (each.on_item_error, first) {
        (OnItemError::Fail, Some((failure, _))) => Err(failure),
        (OnItemError::Quorum(needed), _) if ok < needed => {
            Err(Failure::permanent("quorum", format!("{ok} of {needed} successes that are needed")))
        }
        _ => Ok(Value::Array(output)),
    };
    Ok((result, Value::Array(errors)))
}

fn keep(each: &ForEach, value: Value, scope: &Scope<'_>) -> Result<Value, Failure> {
    match &each.keep {
        Some(keep) => keep.eval(&Scope { output: Some(&value), ..*scope }),
        None => Ok(value),
    }
}

/// An outcome's value; one that lies in a blob reads as `{"$blob": {…}}`.
fn value_of(outcome: Option<Outcome>, info: Option<&GroupInfo>) -> Result<Value, Failure> {
    match outcome {
        Some(Outcome::Ok(Payload::Inline(value))) => Ok(value),
        Some(Outcome::Ok(Payload::Blob(blob))) => Ok(json!({"$blob": blob})),
        Some(Outcome::Error(failure)) => Err(failure),
        None if info.is_some_and(|info| info.deadline.is_some()) => {
            Err(Failure::new(ErrorClass::Timeout, "deadline_exceeded", "the node's deadline passed"))
        }
        None => Err(Failure::new(ErrorClass::Cancelled, "cancelled", "it was cancelled")),
    }
}

fn tokens(node: &Node, outcomes: &[Option<Outcome>]) -> u64 {
    if !matches!(&node.work, Work::Tool(call) if call.name == "chat") {
        return 0;
    }
    let used = |outcome: &Option<Outcome>| match outcome {
        Some(Outcome::Ok(Payload::Inline(value))) => used(value.get("usage")?),
        _ => None,
    };
    outcomes.iter().filter_map(used).fold(0, u64::saturating_add)
}

fn used(usage: &Value) -> Option<u64> {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    count("total").or_else(|| {
        let (input, output) = (count("input_tokens"), count("output_tokens"));
        (input.is_some() || output.is_some()).then(|| input.unwrap_or(0).saturating_add(output.unwrap_or(0)))
    })
}
