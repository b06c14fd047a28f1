//! What each item of an activation comes to before its group is made: arguments, a
//! question, something to wait for, or the input of a child.

use std::collections::BTreeMap;

use baton_common::commit::{Awaited, Input, NewTask, Question, QuestionForm, ResultKey, STORED_INPUT_BYTES_MAX};
use baton_common::tool::ToolSpec;
use baton_common::{Digest, Failure, Hasher, Timestamp, canonical_json};
use serde::Serialize;
use serde_json::Value;

use super::routing;
use super::{Tools, arguments, moment};
use crate::expr::Scope;
use crate::graph::{Ask, AskForm, Graph, GraphCall, Node, ToolCall, Wait};

/// The work of one item.
#[derive(Debug)]
pub(super) enum Draft {
    /// A job with these arguments.
    Call {
        /// `None` where they need what other items give.
        args: Option<Value>,
        /// Whether a person edited them, so that no template makes them again.
        is_edited: bool,
        /// Keys whose recorded result it takes, the outer first.
        keys: Vec<ResultKey>,
    },
    /// A question.
    Question(Box<Question>, Option<u64>),
    /// Something to wait for.
    Wait(Box<NewTask>),
    /// A child with this input.
    Child(Value),
    /// A child whose input is made when it starts: it needs what other items give.
    LaterChild,
}

/// What of a call is kept for its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The arguments where they are small, else what makes them again.
    Either,
    /// The arguments: nothing makes them again.
    Args,
    /// What makes them again: the item is looked at later.
    Recipe,
}

/// Where digests come from: the checkpoint the work is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) hash: Digest,
}

impl Origin {
    /// An input digest.
    pub(super) fn digest(self, input: &str, tool: &str, major: u32) -> Digest {
        let phase = 0;
        let hasher = Hasher::new().field("input").field(input).field(tool).number(u64::from(major));
        hasher.field(self.hash.0).number(phase).finish()
    }

    /// The task of a call.
    pub(super) fn call(
        self,
        spec: &ToolSpec,
        (args, keeps): (Option<Value>, Keeps),
        keys: Vec<ResultKey>,
        item: Option<&Value>,
        needs: BTreeMap<String, u32>,
    ) -> Result<NewTask, Failure> {
        let recipe = || Input::Recipe { item: item.cloned(), needs };
        let (text, input) = match args {
            Some(args) => {
                let text = canonical_json(&args);
                let is_short = text.len() <= STORED_INPUT_BYTES_MAX;
                let keeps_args = keeps == Keeps::Args || (is_short && keeps == Keeps::Either);
                (text, if keeps_args { Input::Args(args) } else { recipe() })
            }
            None => {
                let recipe = recipe();
                (body(&recipe)?, recipe)
            }
        };
        let digest = self.digest(&text, &spec.name, spec.major);
        let keyed = |input, key| Input::Keyed { key, input: Box::new(input) };
        Ok(NewTask::new(digest, body(&keys.into_iter().rev().fold(input, keyed))?))
    }

    /// The task of a question.
    pub(super) fn question(self, question: &Question, expires_ms: Option<u64>) -> Result<NewTask, Failure> {
        let text = body(question)?;
        Ok(NewTask { after_ms: expires_ms, ..NewTask::new(self.digest(&text, "", 0), text) })
    }

    /// What a node waits for.
    pub(super) fn wait(self, wait: &Wait, scope: &Scope<'_>) -> Result<NewTask, Failure> {
        let awaited = body(&Awaited { item: scope.item.map(|(_, item)| item.clone()) })?;
        let named = |text: &str, body: String| NewTask::new(self.digest(text, "", 0), body);
        Ok(match wait {
            Wait::For(ms) => NewTask { after_ms: Some(*ms), ..named(&format!("for {ms} {awaited}"), awaited) },
            Wait::Until(text) => {
                let at = until(text.text(), &text.eval(scope)?)?;
                NewTask { at: Some(at), ..named(&format!("until {at} {awaited}"), awaited) }
            }
            Wait::Signal { name, expires_ms, .. } => {
                let task = named(&format!("signal {name} {awaited}"), awaited);
                NewTask { signal: Some(name.clone()), after_ms: *expires_ms, ..task }
            }
        })
    }
}

fn until(text: &str, value: &Value) -> Result<Timestamp, Failure> {
    let found = value.as_str().and_then(moment::parse);
    found.ok_or_else(|| {
        let why = format!("`until: {text}` gives no moment like 2026-01-31T08:00:00Z");
        Failure::invalid("type_mismatch", why)
    })
}

/// The call of a tool.
///
/// # Errors
/// When a template fails.
pub(super) fn call(
    node: &Node,
    (call, tools): (&ToolCall, &Tools),
    scope: &Scope<'_>,
    needs_others: bool,
    edited: Option<&Value>,
) -> Result<Draft, Failure> {
    let mut keys = Vec::new();
    let mut add = |text: String, ttl_ms: Option<u64>| {
        // What is not named is not kept under a name: all that is nameless would be one.
        if !text.is_empty() {
            keys.push(ResultKey { text, ttl_ms });
        }
    };
    if let Some(key) = &call.key {
        add(routing::text(key, scope)?, None);
    }
    if let Some(cache) = &node.cache {
        add(routing::text(&cache.key, scope)?, Some(cache.ttl_ms));
    }
    let args = match edited {
        Some(edited) => Some(edited.clone()),
        None if needs_others && call.args.roots().contains("deps") => None,
        None => Some(arguments::described(call, tools, scope)?),
    };
    Ok(Draft::Call { args, is_edited: edited.is_some(), keys })
}

/// A question to a person.
///
/// # Errors
/// When a template or expression fails.
pub(super) fn question(ask: &Ask, scope: &Scope<'_>) -> Result<Draft, Failure> {
    let mut show = Vec::with_capacity(ask.show.len());
    for (text, shown) in &ask.show {
        show.push((text.clone(), shown.eval(scope)?));
    }
    let form = match &ask.form {
        AskForm::Approval { edit, allow, schema } => QuestionForm::Approval {
            original: edit.eval(scope)?,
            allow: allow.clone(),
            schema: Some(schema.clone()).filter(|schema| schema.as_object().is_none_or(|all| !all.is_empty())),
        },
        AskForm::Schema(schema) => QuestionForm::Schema(schema.clone()),
    };
    let question = Question { title: routing::text(&ask.title, scope)?, show, form };
    Ok(Draft::Question(Box::new(question), ask.expires_ms))
}

/// The input of a child, complete and checked, where nothing of it is missing yet.
///
/// # Errors
/// When its template fails, or `invalid_input`.
pub(super) fn child(call: &GraphCall, graph: &Graph, scope: &Scope<'_>, needs_others: bool) -> Result<Draft, Failure> {
    if needs_others && call.args.roots().contains("deps") {
        return Ok(Draft::LaterChild);
    }
    graph.check_input(&arguments::object(&call.name, &call.args, scope)?).map(Draft::Child)
}

/// A record as its one text.
///
/// # Errors
/// When it is no JSON.
pub(super) fn body(value: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(value).map_err(|error| Failure::invalid("invalid_json", error.to_string()))?;
    Ok(canonical_json(&value))
}
