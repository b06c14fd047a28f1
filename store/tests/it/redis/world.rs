//! Small made-up runs for the Redis tests: one run of one group, moved by hand.

use std::collections::BTreeMap;

use baton_common::commit::{Commit, NewGroup, NewTask, Segment};
use baton_common::ids::{
    Actor, ClaimRequest, DispatchSeq, GraphHash, GroupId, RunId, Seq, TenantId, ThreadId, ThreadKey, Version, WorkerId,
};
use baton_common::job::Outcome;
use baton_common::records::{Checkpoint, GroupInfo, Policy, RunInfo, Span, TaskKind};
use baton_common::tool::{Effect, Priority, QueueClass};
use baton_common::transition::{AdvanceAnswer, ClaimVerdict, Op, Reply, SubmitAnswer};
use baton_common::transition::{Claim, Granted, Mark, OnBusy, Record, RecordVerdict, Recorded, Stage, Submit};
use baton_common::{Digest, ErrorClass, Failure, Fence, Gen, JobId, Timestamp};
use baton_store::Store;
use serde_json::json;
use uuid::Uuid;

/// A run of a thread of its own; `number` names both.
pub(super) fn run_info(number: u64) -> RunInfo {
    let thread = ThreadId::parse(&Uuid::from_u64_pair(3, number).to_string()).unwrap();
    let thread = ThreadKey { tenant: TenantId::local(), thread };
    RunInfo {
        id: RunId { partition: thread.partition(), uuid: Uuid::from_u64_pair(number, 5) },
        thread,
        actor: Actor::local(),
        graph: GraphHash(Digest::of("graph")),
        graph_name: "world".to_owned(),
        request: None,
        body_digest: Digest::of(number.to_le_bytes()),
        reader: 1,
        deadline: None,
        priority: Priority::Normal,
        traceparent: None,
        input: json!({"number": number}).to_string(),
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    }
}

pub(super) fn group_id(node: &str, activation: u32) -> GroupId {
    GroupId { node: node.parse().unwrap(), activation }
}

/// A group of `count` idempotent jobs that are all under way.
pub(super) fn group_info(id: GroupId, count: u32) -> GroupInfo {
    GroupInfo {
        id,
        kind: TaskKind::Job,
        count,
        window: count,
        need_ok: count,
        max_failed: 0,
        detached: false,
        undo: false,
        tool: "debug.echo".to_owned(),
        tool_major: 1,
        class: QueueClass::Io,
        queue: "io.normal".to_owned(),
        effect: Effect::Idempotent,
        policy: Policy {
            attempts_max: 3,
            backoff_min_ms: 100,
            backoff_max_ms: 60_000,
            retry_on: vec![ErrorClass::Transient, ErrorClass::Timeout],
            retry_codes: Vec::new(),
            timeout_ms: 60_000,
        },
        base: Seq(1),
        deadline: None,
        graph: None,
        traceparent: None,
        segment: None,
    }
}

pub(super) fn job(run: RunId, group: &GroupId, index: u32) -> JobId {
    JobId { run, r#gen: Gen(0), group: group.clone(), index }
}

/// A task's input digest follows from its job.
pub(super) fn task(run: RunId, group: &GroupId, index: u32) -> NewTask {
    let body = json!({"args": {"index": index, "text": "x".repeat(200)}}).to_string();
    NewTask::new(job(run, group, index).digest(), body)
}

pub(super) fn new_group(run: RunId, info: GroupInfo) -> NewGroup {
    let tasks = (0..info.count).map(|index| task(run, &info.id, index)).collect();
    NewGroup { info: info.into(), tasks }
}

/// The `step`-th advance of a run (from 0): a checkpoint of one small channel and a segment.
pub(super) fn commit(info: &RunInfo, step: u64, consumed: Vec<GroupId>, open: Vec<NewGroup>) -> Commit {
    let seen = Version(step + 1);
    let seq = Seq(step + 1);
    let checkpoint = Checkpoint {
        seq,
        parent: Seq(step),
        run: info.id,
        r#gen: Gen(0),
        superstep: step,
        at: Timestamp(1_760_000_000_000),
        full: step == 0,
        writes: BTreeMap::from([("state".into(), json!("y".repeat(128)).into())]),
        large: BTreeMap::new(),
        segments: BTreeMap::from([("log".into(), Span { base: 0, end: seq.0 })]),
        wrote: BTreeMap::from([("state".into(), "node".parse().unwrap())]),
        control: json!({"steps": step}).into(),
        hash: Digest::of(seq.0.to_le_bytes()),
    };
    let segment = Segment { channel: "log".into(), number: step, body: json!(["z".repeat(256)]).to_string() };
    Commit {
        run: info.id,
        seen,
        op: Commit::op(info.id, seen, &consumed, ""),
        after: None,
        consumed,
        closed_at: Vec::new(),
        cancelled: Vec::new(),
        checkpoints: vec![checkpoint.into()],
        segments: vec![segment],
        open,
        staged: 0,
        undoing: false,
        end: None,
    }
}

pub(super) fn ok() -> Recorded {
    Recorded::Ok(serde_json::to_string(&Outcome::value("r".repeat(256))).unwrap())
}

pub(super) fn failed(class: ErrorClass) -> Recorded {
    let failure = Failure::new(class, "broken", "as told");
    let body = serde_json::to_string(&Outcome::Error(failure)).unwrap();
    Recorded::Error { class, code: "broken".to_owned(), retry_after_ms: None, body }
}

pub(super) async fn submit(store: &dyn Store, info: &RunInfo) {
    let op = Op::Submit(Box::new(Submit::new(info.clone(), OnBusy::Reject)));
    assert_eq!(store.apply(op).await.unwrap(), Reply::Submit(SubmitAnswer::Accepted));
}

pub(super) async fn advance(store: &dyn Store, commit: Commit) -> AdvanceAnswer {
    match store.apply(Op::Advance(commit.into())).await.unwrap() {
        Reply::Advance(answer) => answer,
        other => panic!("{other:?}"),
    }
}

pub(super) fn claim_op(job: &JobId) -> Op {
    Op::Claim(Claim {
        job: job.clone(),
        digest: job.digest(),
        worker: WorkerId(7),
        request: ClaimRequest(u64::from(job.index) + 1),
        lease_ms: 30_000,
    })
}

pub(super) async fn claim(store: &dyn Store, job: &JobId) -> Granted {
    match store.apply(claim_op(job)).await.unwrap() {
        Reply::Claim(ClaimVerdict::Granted(granted)) => *granted,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn record(store: &dyn Store, job: &JobId, fence: Fence, outcome: Recorded) -> RecordVerdict {
    let op = Record { job: job.clone(), digest: job.digest(), fence, outcome };
    match store.apply(Op::Record(Box::new(op))).await.unwrap() {
        Reply::Record(verdict) => verdict,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn mark(store: &dyn Store, job: &JobId) -> bool {
    let op = Op::Mark(Mark { run: job.run, tasks: vec![(job.group.clone(), job.index, DispatchSeq(1))] });
    store.apply(op).await.unwrap() == Reply::Changed(true)
}

/// Stages the `place`-th chunk of 500 tasks of a group, each as `change` leaves it.
pub(super) async fn stage_chunk(
    store: &dyn Store,
    commit: &Commit,
    info: &GroupInfo,
    place: u32,
    change: impl Fn(u32, &mut NewTask),
) {
    let first = place * 500;
    let mut tasks = Vec::new();
    for index in first..info.count.min(first + 500) {
        tasks.push(task(commit.run, &info.id, index));
        change(index, tasks.last_mut().unwrap());
    }
    let op = Stage { run: commit.run, op: commit.op, group: info.id.clone(), first, tasks };
    assert_eq!(store.apply(Op::Stage(op)).await.unwrap(), Reply::Changed(true));
}

/// Stages all tasks of a group in chunks of 500.
pub(super) async fn stage(store: &dyn Store, commit: &Commit, info: &GroupInfo) {
    for place in 0..info.count.div_ceil(500) {
        stage_chunk(store, commit, info, place, |_, _| {}).await;
    }
}
