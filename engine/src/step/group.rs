//! Groups as they are opened: what a node's settings say about all of its tasks.

use baton_common::commit::{NewGroup, NewTask};
use baton_common::records::{GroupInfo, Policy, TaskKind};
use baton_common::tool::{Effect, Priority, QueueClass, ToolSpec, queue_name};
use baton_common::{Failure, GroupId, Seq, Timestamp};

use crate::graph::{ForEach, Node, OnItemError, ToolCall};

/// How many tasks of one group may be under way at once in a whole run: its children have a
/// share of it each.
pub(super) const PARALLEL_MAX: u32 = 256;

/// What differs between groups of jobs and of all else.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) kind: TaskKind,
    pub(super) tool: String,
    pub(super) tool_major: u32,
    pub(super) class: QueueClass,
    pub(super) queue: String,
    pub(super) effect: Effect,
}

impl Kind {
    /// Tasks that no worker sees.
    pub(super) fn without_worker(kind: TaskKind) -> Self {
        let (class, effect) = (QueueClass::Io, Effect::Pure);
        Self { kind, tool: String::new(), tool_major: 0, class, queue: String::new(), effect }
    }

    /// Jobs of a tool.
    pub(super) fn jobs(call: &ToolCall, spec: &ToolSpec, priority: Priority) -> Self {
        let class = call.class.unwrap_or(spec.class);
        Self {
            kind: TaskKind::Job,
            tool: spec.name.clone(),
            tool_major: spec.major,
            class,
            queue: call.capability.as_ref().map_or_else(|| queue_name(class, priority), |name| format!("cap.{name}")),
            effect: call.effect.map_or(spec.effect, |effect| effect.max(spec.effect)),
        }
    }
}

/// Where a group is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// The checkpoint it is made from.
    pub(super) base: Seq,
    /// The step's time.
    pub(super) now: Timestamp,
    /// How many of its tasks may be under way at once.
    pub(super) window: u32,
}

/// How many tasks of a node may be under way at once.
pub(super) fn window(each: Option<&ForEach>, parallel: Option<u32>) -> u32 {
    let cap = parallel.unwrap_or(PARALLEL_MAX).max(1);
    each.map_or(1, |each| each.max_parallel.clamp(1, cap))
}

/// A group of a node.
///
/// # Errors
/// When there are too many tasks.
pub(super) fn group(
    node: &Node,
    id: GroupId,
    kind: Kind,
    tasks: Vec<NewTask>,
    opening: Opening,
    detached: bool,
) -> Result<NewGroup, Failure> {
    let count =
        u32::try_from(tasks.len()).map_err(|_| Failure::invalid("too_many_items", format!("{} items", tasks.len())))?;
    let (need_ok, max_failed) = match node.each.as_ref().map(|each| each.on_item_error) {
        _ if detached => (count, count),
        None | Some(OnItemError::Fail) => (count, 0),
        Some(OnItemError::Collect) => (count, count),
        Some(OnItemError::Quorum(needed)) => (needed, count.saturating_sub(needed)),
    };
    let info = GroupInfo {
        id,
        kind: kind.kind,
        count,
        window: opening.window,
        need_ok,
        max_failed,
        detached,
        undo: false,
        tool: kind.tool,
        tool_major: kind.tool_major,
        class: kind.class,
        queue: kind.queue,
        effect: kind.effect,
        policy: policy(node),
        base: opening.base,
        deadline: node.deadline_ms.map(|ms| opening.now.plus_ms(ms)),
        graph: None,
        traceparent: None,
        segment: None,
    };
    Ok(NewGroup { info: info.into(), tasks })
}

/// How attempts of a node's jobs are made.
pub(super) fn policy(node: &Node) -> Policy {
    let retry = &node.retry;
    Policy {
        attempts_max: retry.attempts,
        backoff_min_ms: retry.backoff_min_ms,
        backoff_max_ms: retry.backoff_max_ms,
        retry_on: retry.classes.clone(),
        retry_codes: retry.codes.clone(),
        timeout_ms: node.timeout_ms,
    }
}
