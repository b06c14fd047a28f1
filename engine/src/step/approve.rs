//! Calls that a person may have to approve first: the questions, and what the decisions
//! make of the calls.

use std::collections::BTreeMap;

use baton_common::commit::{NewTask, Question, QuestionForm};
use baton_common::job::Outcome;
use baton_common::tool::ToolSpec;
use baton_common::{Failure, canonical_json};
use serde_json::Value;

use super::activate::Making;
use super::outcomes::{Outcomes, value_of};
use super::tasks::Draft;
use crate::expr::Scope;
use crate::graph::Approve;
use crate::state::{Approval, Open};

/// What the path of a question's group has behind its node's.
pub(super) const SUFFIX: &str = "/approve";

/// The questions to ask before a node's calls; `None` where none is to be asked, or all
/// were decided.
///
/// # Errors
/// When a condition fails.
pub(super) fn questions(
    making: &Making<'_>,
    spec: &ToolSpec,
    drafts: &BTreeMap<u32, Draft>,
    open: &mut Open,
) -> Result<Option<Vec<NewTask>>, Failure> {
    let Some(approve) = &making.node.approve else { return Ok(None) };
    if open.approval.as_ref().is_some_and(|approval| approval.given) {
        return Ok(None);
    }
    let mut asked = Vec::new();
    let mut made = Vec::new();
    for (item, draft) in drafts {
        let Draft::Call { args, .. } = draft else { continue };
        let Some(args) = args else {
            let why = "what is approved cannot depend on other items";
            return Err(Failure::invalid("approve_failed", why));
        };
        if needs_approval(approve, args, &making.scope_of(*item, false))? {
            asked.push(*item);
            made.push(making.origin().question(&question(making, approve, spec, *item, args), None)?);
        }
    }
    let hash = making.place.hash;
    open.approval =
        (!asked.is_empty()).then(|| Box::new(Approval { hash, asked, given: false, edited: BTreeMap::new() }));
    Ok(Some(made).filter(|made| !made.is_empty()))
}

fn needs_approval(approve: &Approve, args: &Value, scope: &Scope<'_>) -> Result<bool, Failure> {
    match approve.when.eval(&Scope { args: Some(args), ..*scope })? {
        Value::Bool(holds) => Ok(holds),
        other => {
            let why = format!("`when: {}` gives {}, not true or false", approve.when.text(), canonical_json(&other));
            Err(Failure::invalid("expression_failed", why))
        }
    }
}

fn question(making: &Making<'_>, approve: &Approve, spec: &ToolSpec, item: u32, args: &Value) -> Question {
    let of = making.items.as_ref().map(|items| format!(", {}", items.label(item))).unwrap_or_default();
    let others = approve.allow.iter().filter(|action| *action != "approve").cloned();
    Question {
        title: format!("May {} call {}{of}?", making.node.path, spec.name),
        show: Vec::new(),
        form: QuestionForm::Approval {
            original: args.clone(),
            allow: std::iter::once("approve".to_owned()).chain(others).collect(),
            schema: Some(spec.args_schema.clone()),
        },
    }
}

/// Takes decisions over: arguments that were edited, and items whose call was refused.
pub(super) fn decide(open: &mut Open, outcomes: Outcomes) -> BTreeMap<u32, Failure> {
    let mut refused = BTreeMap::new();
    let Some(approval) = &mut open.approval else { return refused };
    let mut all = outcomes.all.into_iter();
    for item in approval.asked.clone() {
        match decision(all.next().flatten(), outcomes.had_deadline) {
            Ok(Some(edited)) => _ = approval.edited.insert(item, edited),
            Ok(None) => {}
            Err(failure) => _ = refused.insert(item, failure),
        }
    }
    refused
}

/// The arguments where they were edited.
fn decision(outcome: Option<Outcome>, had_deadline: bool) -> Result<Option<Value>, Failure> {
    let answer = value_of(outcome, had_deadline)?;
    let comment = answer["comment"].as_str().unwrap_or("no reason was given").to_owned();
    match answer["action"].as_str() {
        Some("approve") => Ok(None),
        Some("edit") => Ok(Some(answer["value"].clone())),
        Some("respond") => Err(Failure::refused("responded", comment)),
        _ => Err(Failure::refused("rejected", comment)),
    }
}
