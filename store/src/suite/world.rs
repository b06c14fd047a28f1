//! Small made-up runs, groups and tasks for the suite.

use std::collections::BTreeMap;

use baton_common::commit::{Awaited, Commit, Input, NewGroup, NewTask, Question, QuestionForm, Segment};
use baton_common::ids::{
    Actor, ChannelName, GraphHash, GroupId, JobId, NodePath, RunId, Seq, TenantId, ThreadId, ThreadKey, Version,
};
use baton_common::records::{Checkpoint, GroupInfo, Parent, Policy, RunInfo, Span, TaskKind};
use baton_common::tool::{Effect, Priority, QueueClass};
use baton_common::transition::KeyName;
use baton_common::{Digest, ErrorClass, Gen, Timestamp};
use serde_json::json;
use uuid::Uuid;

/// A thread in partition 17.
pub(super) fn thread(name: &str) -> ThreadKey {
    let thread = ThreadId::parse(&format!("~017~{name}")).expect("a thread id");
    ThreadKey { tenant: TenantId::local(), thread }
}

/// The run of that number on that thread.
pub(super) fn run_info(thread: &ThreadKey, number: u64, deadline: Option<Timestamp>) -> RunInfo {
    RunInfo {
        id: RunId { partition: thread.partition(), uuid: Uuid::from_u64_pair(7, number) },
        thread: thread.clone(),
        actor: Actor::local(),
        graph: GraphHash(Digest::of("graph")),
        graph_name: "suite".to_owned(),
        request: None,
        body_digest: Digest::of(number.to_le_bytes()),
        reader: 1,
        deadline,
        priority: Priority::Normal,
        traceparent: None,
        input: json!({"number": number}).to_string(),
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    }
}

/// A group as a test wants it; the rest is usual.
#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    pub(super) node: String,
    pub(super) activation: u32,
    pub(super) kind: TaskKind,
    pub(super) count: u32,
    pub(super) window: u32,
    pub(super) need_ok: u32,
    pub(super) max_failed: u32,
    pub(super) detached: bool,
    pub(super) effect: Effect,
    pub(super) attempts_max: u32,
    pub(super) deadline: Option<Timestamp>,
    pub(super) expires_ms: Option<u64>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) undo: bool,
    pub(super) signal: Option<&'static str>,
    /// For each index the ones it needs.
    pub(super) needs: Vec<Vec<u32>>,
    /// For children: their caller, and its generation.
    pub(super) parent: Option<(RunInfo, Gen)>,
}

impl GroupPlan {
    /// One idempotent job of that node.
    pub(super) fn job(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            activation: 1,
            kind: TaskKind::Job,
            count: 1,
            window: 1,
            need_ok: 1,
            max_failed: 0,
            detached: false,
            effect: Effect::Idempotent,
            attempts_max: 1,
            deadline: None,
            expires_ms: None,
            expires_at: None,
            undo: false,
            signal: None,
            needs: Vec::new(),
            parent: None,
        }
    }

    /// One wait of that node.
    pub(super) fn wait(node: &str) -> Self {
        Self { kind: TaskKind::Wait, ..Self::job(node) }
    }

    /// One child of that node.
    pub(super) fn child(node: &str, parent: &RunInfo, generation: Gen) -> Self {
        Self { kind: TaskKind::Child, parent: Some((parent.clone(), generation)), ..Self::job(node) }
    }

    /// One question of that node.
    pub(super) fn ask(node: &str) -> Self {
        Self { kind: TaskKind::Ask, ..Self::job(node) }
    }

    pub(super) fn id(&self) -> GroupId {
        GroupId { node: NodePath::parse(&self.node).expect("a node path"), activation: self.activation }
    }

    pub(super) fn info(&self, base: Seq) -> GroupInfo {
        GroupInfo {
            id: self.id(),
            kind: self.kind,
            count: self.count,
            window: self.window,
            need_ok: self.need_ok,
            max_failed: self.max_failed,
            detached: self.detached,
            undo: self.undo,
            tool: if self.kind == TaskKind::Job { "debug.echo".to_owned() } else { String::new() },
            tool_major: 1,
            class: QueueClass::Io,
            queue: "io.normal".to_owned(),
            effect: self.effect,
            policy: Policy {
                attempts_max: self.attempts_max,
                backoff_min_ms: 100,
                backoff_max_ms: 1_000,
                retry_on: vec![ErrorClass::Transient, ErrorClass::RateLimited],
                retry_codes: vec!["again".to_owned()],
                timeout_ms: 60_000,
            },
            base,
            deadline: self.deadline,
            graph: None,
            traceparent: None,
            segment: None,
        }
    }

    pub(super) fn task(&self, run: RunId, index: u32) -> NewTask {
        let digest = Digest::of(format!("{run}/{}/{index}", self.id()));
        let body = match self.kind {
            TaskKind::Job => serde_json::to_string(&Input::Args(json!({"index": index}))),
            TaskKind::Wait => serde_json::to_string(&Awaited { item: Some(json!(index)) }),
            TaskKind::Child => serde_json::to_string(&self.child_info(index)),
            TaskKind::Ask => serde_json::to_string(&Question {
                title: "May it?".to_owned(),
                show: Vec::new(),
                form: QuestionForm::Schema(json!({"type": "object"})),
            }),
        };
        let needs = usize::try_from(index).ok().and_then(|index| self.needs.get(index)).cloned();
        NewTask {
            at: self.expires_at,
            after_ms: self.expires_ms,
            signal: self.signal.map(str::to_owned),
            needs: needs.unwrap_or_default(),
            ..NewTask::new(digest, body.expect("a body"))
        }
    }

    /// The run that an index is.
    pub(super) fn child_info(&self, index: u32) -> Option<RunInfo> {
        let (parent, generation) = self.parent.as_ref()?;
        let job = JobId { run: parent.id, r#gen: *generation, group: self.id(), index };
        let id = RunId::for_child(&job);
        let thread = thread(&format!("child-{}", id.uuid.simple()));
        let (root, root_thread) = match &parent.parent {
            Some(above) => (above.root, above.root_thread.clone()),
            None => (parent.id, parent.thread.clone()),
        };
        let above = Parent { job, root, root_thread, needs: None };
        Some(RunInfo { id, parent: Some(Box::new(above)), ..run_info(&thread, u64::from(index), None) })
    }

    pub(super) fn tasks(&self, run: RunId) -> Vec<NewTask> {
        (0..self.count).map(|index| self.task(run, index)).collect()
    }

    pub(super) fn new_group(&self, run: RunId, base: Seq, staged: bool) -> NewGroup {
        let tasks = if staged { Vec::new() } else { self.tasks(run) };
        NewGroup { info: self.info(base).into(), tasks }
    }
}

/// The checkpoint behind `parent` that writes one channel and one piece of another.
pub(super) fn checkpoint(run: RunId, parent: Seq, superstep: u64, at: Timestamp) -> (Checkpoint, Segment) {
    let seq = parent.next();
    let channel = ChannelName::from(format!("channel{}", superstep % 3));
    let checkpoint = Checkpoint {
        seq,
        parent,
        run,
        r#gen: Gen(0),
        superstep,
        at,
        full: superstep == 0,
        writes: BTreeMap::from([(channel.clone(), json!({"superstep": superstep}).into())]),
        large: BTreeMap::new(),
        segments: BTreeMap::from([("log".into(), Span { base: 0, end: seq.0 })]),
        wrote: BTreeMap::from([(channel, NodePath::parse("node").expect("a node path"))]),
        control: json!({"steps": superstep}).into(),
        hash: Digest::of(seq.0.to_le_bytes()),
    };
    let segment = Segment { channel: "log".into(), number: seq.0 - 1, body: format!("[\"piece {}\"]", seq.0) };
    (checkpoint, segment)
}

/// An advance that opens groups and consumes others.
pub(super) fn commit(run: RunId, seen: Version, consumed: Vec<GroupId>, salt: &str) -> Commit {
    Commit {
        run,
        seen,
        op: Commit::op(run, seen, &consumed, salt),
        after: None,
        consumed,
        closed_at: Vec::new(),
        cancelled: Vec::new(),
        checkpoints: Vec::new(),
        segments: Vec::new(),
        open: Vec::new(),
        staged: 0,
        undoing: false,
        end: None,
    }
}

/// The `number`-th key whose place is the suite's partition.
pub(super) fn key_name(number: usize, cache: bool) -> KeyName {
    let name = |text: u32| KeyName {
        tenant: TenantId::local(),
        tool: "debug.echo".to_owned(),
        text: format!("key {text}"),
        cache,
    };
    let mut names = (0..).map(name).filter(|name| name.partition() == super::differential::PARTITION);
    names.nth(number).expect("there are more")
}
