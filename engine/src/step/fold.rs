//! What an activation came to: the outcomes of its tasks made one output or one failure.
//!
//! What follows from it, [`super::superstep`] decides; what an answer comes to,
//! [`crate::answer`] has decided when it was given.

use baton_common::job::Outcome;
use baton_common::{Failure, Payload};
use serde_json::{Map, Value, json};

use super::items::{Items, of_item};
use super::outcomes::{How, Outcomes, keep, value_of};
use crate::expr::Scope;
use crate::graph::{ForEach, Node, OnItemError, Work};
use crate::state::Open;

/// What an activation came to.
#[derive(Debug)]
pub(super) struct Folded {
    /// Its output, if nodes of its kind have one.
    pub(super) result: Result<Option<Value>, Failure>,
    /// Of a map: what failed, as `errors` reads.
    pub(super) errors: Option<Value>,
    /// What its chats used.
    pub(super) used: Used,
}

/// What chats used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    /// Tokens, in and out.
    pub(super) tokens: u64,
    /// Billionths of a US dollar.
    pub(super) nano_usd: u64,
}

/// Folds an activation in the scope of its snapshot.
pub(super) fn fold(node: &Node, how: How, open: Option<&Open>, scope: &Scope<'_>) -> Folded {
    let no_errors = node.each.as_ref().map(|_| json!([]));
    let nothing = |result| Folded { result, errors: no_errors.clone(), used: Used::default() };
    let outcomes = match how.outcomes(node) {
        Ok(outcomes) => outcomes,
        Err(failure) => return nothing(Err(failure)),
    };
    if outcomes.is_none() && (node.each.is_none() || matches!(node.work, Work::Notify(_))) {
        return nothing(Ok(None));
    }
    let used = outcomes.as_ref().map_or_else(Used::default, |outcomes| used(node, &outcomes.all));
    match &node.each {
        None => {
            let Outcomes { all, had_deadline, .. } = outcomes.unwrap_or_default();
            let result = value_of(all.into_iter().next().flatten(), had_deadline).map(Some);
            Folded { result, errors: None, used }
        }
        Some(each) => match map(each, outcomes, open, scope) {
            Ok((result, errors)) => Folded { result: result.map(Some), errors: Some(errors), used },
            Err(failure) => Folded { result: Err(failure), errors: no_errors, used },
        },
    }
}

type Mapped = (Result<Value, Failure>, Value);

fn map(each: &ForEach, outcomes: Option<Outcomes>, open: Option<&Open>, scope: &Scope<'_>) -> Result<Mapped, Failure> {
    let items = Items::of(each, scope)?;
    let mut outcomes = outcomes.unwrap_or_else(|| Outcomes::nulls(items.len())).by_item(items.len(), open);
    if let OnItemError::Quorum(needed) = each.on_item_error {
        outcomes.only(needed);
    }
    let cancelled: Vec<bool> = outcomes.all.iter().map(Option::is_none).collect();
    let mut output = Vec::with_capacity(items.list.len());
    let mut errors = Vec::new();
    let mut first = None;
    let mut ok = 0_u32;
    for ((index, kept), was_cancelled) in (0_u32..).zip(kept(each, &items, outcomes, scope)).zip(cancelled) {
        match kept {
            Ok(value) => {
                ok += 1;
                output.push(value);
            }
            Err(failure) => {
                output.push(Value::Null);
                if !was_cancelled || each.on_item_error == OnItemError::Collect {
                    let error = json!({"code": failure.code, "message": failure.message});
                    let item = items.list.get(index as usize);
                    errors.push(json!({"index": index, "key": items.key(index), "item": item, "error": error}));
                }
                if first.as_ref().is_none_or(|(_, cancelled)| *cancelled && !was_cancelled) {
                    first = Some((of_item(&items.label(index), failure), was_cancelled));
                }
            }
        }
    }
    let result = match (each.on_item_error, first) {
        (OnItemError::Fail, Some((failure, _))) => Err(failure),
        (OnItemError::Quorum(needed), first) if ok < needed => Err(short_of(ok, needed, first.map(|(why, _)| why))),
        _ => Ok(gathered(&items, output)),
    };
    Ok((result, Value::Array(errors)))
}

/// What is kept of each item, those it needs before it.
pub(super) fn kept(
    each: &ForEach,
    items: &Items,
    outcomes: Outcomes,
    scope: &Scope<'_>,
) -> Vec<Result<Value, Failure>> {
    let mut kept: Vec<Result<Value, Failure>> = outcomes.all.iter().map(|_| Ok(Value::Null)).collect();
    let mut all = outcomes.all;
    for index in items.order() {
        let Some(outcome) = all.get_mut(index as usize).map(Option::take) else { continue };
        let deps = items.deps(each, index, |need| kept.get(need as usize)?.as_ref().ok().cloned());
        let scope = Scope { deps: deps.as_ref(), ..items.scope(each, index, scope) };
        let value = value_of(outcome, outcomes.had_deadline).and_then(|value| keep(each, value, &scope));
        if let Some(place) = kept.get_mut(index as usize) {
            *place = value;
        }
    }
    kept
}

/// The outputs in order, or by name.
fn gathered(items: &Items, output: Vec<Value>) -> Value {
    match &items.keys {
        None => Value::Array(output),
        Some(keys) => Value::Object(keys.iter().cloned().zip(output).collect::<Map<_, _>>()),
    }
}

/// A quorum that cannot be reached any more.
pub(super) fn short_of(ok: u32, needed: u32, first: Option<Failure>) -> Failure {
    let cause = first.map(|failure| format!("; {}: {}", failure.code, failure.message)).unwrap_or_default();
    Failure::permanent("quorum", format!("{ok} of {needed} successes that are needed{cause}"))
}

fn used(node: &Node, outcomes: &[Option<Outcome>]) -> Used {
    if !matches!(&node.work, Work::Tool(call) if call.name == "chat") {
        return Used::default();
    }
    let usages = outcomes.iter().filter_map(|outcome| match outcome {
        Some(Outcome::Ok(Payload::Inline(value))) => value.get("usage"),
        _ => None,
    });
    usages.fold(Used::default(), |used, usage| Used {
        tokens: used.tokens.saturating_add(tokens(usage)),
        nano_usd: used.nano_usd.saturating_add(nano_usd(usage)),
    })
}

fn tokens(usage: &Value) -> u64 {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let sum = || count("input_tokens").unwrap_or(0).saturating_add(count("output_tokens").unwrap_or(0));
    count("total").unwrap_or_else(sum)
}

/// A cost as a whole number, so that sums are the same in every order and after every reading.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "costs are no more than a u64 holds")]
fn nano_usd(usage: &Value) -> u64 {
    let cost = usage.get("cost_usd").and_then(Value::as_f64).unwrap_or(0.0);
    (cost.max(0.0) * 1e9).round() as u64
}
