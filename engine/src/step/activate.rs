//! Opens what a node needs when a branch arrives: a group of jobs or questions, or nothing.
//!
//! A node that needs no task, or whose arguments fail, ends at once and is folded by the
//! next superstep of the same call.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::{Input, NewGroup, NewTask, Question, QuestionForm, STORED_INPUT_BYTES_MAX};
use baton_common::records::{GroupInfo, Policy, TaskKind};
use baton_common::tool::{Effect, Priority, QueueClass, queue_name};
use baton_common::{Digest, Failure, GroupId, Hasher, Seq, Timestamp, canonical_json};
use serde::Serialize;
use serde_json::Value;

use super::arguments::{arguments, items};
use super::scope::{Base, at_head};
use super::{Tools, references, routing};
use crate::expr::Scope;
use crate::graph::{Ask, AskForm, Graph, Node, OnItemError, ToolCall, Work};

/// Where and when nodes are activated: the checkpoint just made.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) graph: &'a Graph,
    pub(super) tools: &'a Tools,
    pub(super) base: &'a Base,
    pub(super) values: &'a BTreeMap<String, Arc<Value>>,
    pub(super) seq: Seq,
    pub(super) hash: Digest,
    pub(super) priority: Priority,
    pub(super) now: Timestamp,
}

/// What an activation comes to.
#[derive(Debug)]
pub(super) enum Activated {
    /// It waits for this group.
    Waits(NewGroup),
    /// It goes on at once, leaving this group behind.
    GoesOn(Option<NewGroup>),
    /// It failed before any work.
    Failed(Failure),
}

/// What differs between groups of jobs and of questions.
struct Tasks {
    kind: TaskKind,
    tool: String,
    tool_major: u32,
    class: QueueClass,
    queue: String,
    effect: Effect,
    tasks: Vec<NewTask>,
}

impl Place<'_> {
    /// Activates a node.
    pub(super) fn activate(&self, node: &Node, id: GroupId) -> Activated {
        self.open(node, id).unwrap_or_else(Activated::Failed)
    }

    fn open(&self, node: &Node, id: GroupId) -> Result<Activated, Failure> {
        let values = at_head(self.graph, self.values, &references::at_activation(self.graph, node));
        let scope = self.base.scope(&values);
        let list = node.each.as_ref().map(|each| items(each, &scope)).transpose()?;
        if let (Some(list), Some(each)) = (&list, &node.each) {
            if let OnItemError::Quorum(needed) = each.on_item_error
                && (list.len() as u64) < u64::from(needed)
            {
                let why = format!("{needed} successes are needed of {} items", list.len());
                return Err(Failure::permanent("quorum", why));
            }
            if list.is_empty() {
                return Ok(Activated::GoesOn(None));
            }
        }
        let name = node.each.as_ref().map_or("item", |each| each.item_name.as_str());
        let scopes: Vec<Scope<'_>> = match &list {
            Some(list) => list.iter().map(|item| Scope { item: Some((name, item)), ..scope }).collect(),
            None => vec![scope],
        };
        match &node.work {
            Work::Wait(_) | Work::Graph(_) | Work::Local => Ok(Activated::GoesOn(None)),
            Work::Tool(call) => Ok(Activated::Waits(self.group(node, id, self.jobs(node, call, &scopes)?, false)?)),
            Work::Notify(call) => {
                Ok(Activated::GoesOn(Some(self.group(node, id, self.jobs(node, call, &scopes)?, true)?)))
            }
            Work::Ask(ask) => Ok(Activated::Waits(self.group(node, id, self.questions(ask, &scopes)?, false)?)),
        }
    }

    fn jobs(&self, node: &Node, call: &ToolCall, scopes: &[Scope<'_>]) -> Result<Tasks, Failure> {
        let Some(spec) = self.tools.get(&call.name) else {
            return Err(Failure::invalid("unknown_tool", format!("no worker announced the tool {}", call.name)));
        };
        let class = call.class.unwrap_or(spec.class);
        let mut tasks = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let args = arguments(call, scope)?;
            let text = canonical_json(&args);
            let digest = self.digest(&text, &spec.name, spec.major);
            let input = if text.len() <= STORED_INPUT_BYTES_MAX {
                Input::Args(args)
            } else {
                Input::Recipe { item: scope.item.map(|(_, item)| item.clone()), needs: BTreeMap::new() }
            };
            tasks.push(NewTask::new(digest, body(&input)?));
        }
        Ok(Tasks {
            kind: TaskKind::Job,
            tool: spec.name.clone(),
            tool_major: spec.major,
            class,
            queue: queue_name(class, node.priority.unwrap_or(self.priority)),
            effect: call.effect.map_or(spec.effect, |effect| effect.max(spec.effect)),
            tasks,
        })
    }

    fn questions(&self, ask: &Ask, scopes: &[Scope<'_>]) -> Result<Tasks, Failure> {
        let mut tasks = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let question = question(ask, scope)?;
            let text = body(&question)?;
            let digest = self.digest(&text, "", 0);
            tasks.push(NewTask { after_ms: ask.expires_ms, ..NewTask::new(digest, text) });
        }
        Ok(Tasks {
            kind: TaskKind::Ask,
            tool: String::new(),
            tool_major: 0,
            class: QueueClass::Io,
            queue: String::new(),
            effect: Effect::Pure,
            tasks,
        })
    }

    fn group(&self, node: &Node, id: GroupId, made: Tasks, detached: bool) -> Result<NewGroup, Failure> {
        let count = u32::try_from(made.tasks.len())
            .map_err(|_| Failure::invalid("too_many_items", format!("{} items", made.tasks.len())))?;
        let (need_ok, max_failed) = match node.each.as_ref().map(|each| each.on_item_error) {
            _ if detached => (count, count),
            None | Some(OnItemError::Fail) => (count, 0),
            Some(OnItemError::Collect) => (count, count),
            Some(OnItemError::Quorum(needed)) => (needed, count.saturating_sub(needed)),
        };
        let retry = &node.retry;
        let info = GroupInfo {
            id,
            kind: made.kind,
            count,
            window: node.each.as_ref().map_or(1, |each| each.max_parallel),
            need_ok,
            max_failed,
            detached,
            undo: false,
            tool: made.tool,
            tool_major: made.tool_major,
            class: made.class,
            queue: made.queue,
            effect: made.effect,
            policy: Policy {
                attempts_max: retry.attempts,
                backoff_min_ms: retry.backoff_min_ms,
                backoff_max_ms: retry.backoff_max_ms,
                retry_on: retry.classes.clone(),
                retry_codes: retry.codes.clone(),
                timeout_ms: node.timeout_ms,
            },
            base: self.seq,
            deadline: node.deadline_ms.map(|ms| self.now.plus_ms(ms)),
        };
        Ok(NewGroup { info, tasks: made.tasks })
    }

    fn digest(&self, input: &str, tool: &str, major: u32) -> Digest {
        let phase = 0;
        let hasher = Hasher::new().field("input").field(input).field(tool).number(u64::from(major));
        hasher.field(self.hash.0).number(phase).finish()
    }
}

fn question(ask: &Ask, scope: &Scope<'_>) -> Result<Question, Failure> {
    let mut show = Vec::with_capacity(ask.show.len());
    for (text, shown) in &ask.show {
        show.push((text.clone(), shown.eval(scope)?));
    }
    let form = match &ask.form {
        AskForm::Approval { edit, allow, .. } => {
            QuestionForm::Approval { original: edit.eval(scope)?, allow: allow.clone() }
        }
        AskForm::Schema(schema) => QuestionForm::Schema(schema.clone()),
    };
    Ok(Question { title: routing::text(&ask.title, scope)?, show, form })
}

fn body(value: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(value).map_err(|error| Failure::invalid("invalid_json", error.to_string()))?;
    Ok(canonical_json(&value))
}
