//! The API's values on the wire, by hand. Workers' values are converted in
//! [`baton_control::grpc::convert`].

use std::collections::BTreeMap;

use baton_common::records::{Event, EventKind, RunStatus};
use baton_common::{RequestId, RunId, ThreadId};
use baton_control::grpc::convert::{self as words, Malformed};
use baton_engine::spec;
use baton_proto::v1;
use serde_json::Value;

use crate::api::{
    ArtifactView, GraphRef, GraphSource, GraphView, GroupView, ListFilter, Live, QuestionView, QueueView, RunSummary,
    RunView, Status, SubmitRequest, Submitted, Target, Update, Wait, Watched, WorkerView, page,
};

/// How many a caller asks for: bounded rather than refused, but never less than nothing.
pub(super) fn page_size(asked: i32) -> Result<u32, Malformed> {
    u32::try_from(asked).map(page::page_size).map_err(|_| Malformed::new("page_size", "it is negative"))
}

/// An id where a text stands, none where it is empty.
pub(super) fn optional<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<Option<T>, Malformed> {
    if text.is_empty() { Ok(None) } else { words::parse(field, text).map(Some) }
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

pub(super) fn source(text: String, includes: Vec<v1::Include>, origin: String) -> GraphSource {
    let files: BTreeMap<_, _> = includes.into_iter().map(|include| (include.path, include.text)).collect();
    GraphSource { text, name: origin, files }
}

pub(super) fn problem(problem: spec::Problem) -> v1::Problem {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    v1::Problem {
        line: number(problem.line),
        column: number(problem.column),
        offset: problem.offset as u64,
        length: problem.length as u64,
        code: problem.code,
        message: problem.message,
        label: problem.label,
        help: problem.help.unwrap_or_default(),
        file: problem.file,
    }
}

pub(super) fn submit(wire: v1::SubmitRequest) -> Result<SubmitRequest, Malformed> {
    let input = if wire.input_json.trim().is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        words::json("input_json", &wire.input_json)?
    };
    let graph = match (wire.graph.is_empty(), wire.source.is_empty()) {
        (false, true) => GraphRef::named(&wire.graph).map_err(|error| Malformed::new("graph", error.to_string()))?,
        (true, false) => GraphRef::Source(source(wire.source, wire.includes, String::new())),
        _ => return Err(Malformed::new("graph", "either a name or a source must be given")),
    };
    Ok(SubmitRequest {
        graph,
        input,
        request_id: optional::<RequestId>("request_id", &wire.request_id)?,
        thread: optional::<ThreadId>("thread", &wire.thread)?,
        traceparent: Some(wire.traceparent).filter(|text| !text.is_empty()),
        record: wire.record,
    })
}

pub(super) fn signal_target(thread: &str, run: &str) -> Result<Target, Malformed> {
    match (optional::<ThreadId>("thread", thread)?, optional::<RunId>("run_id", run)?) {
        (Some(thread), None) => Ok(Target::Thread(thread)),
        (None, Some(run)) => Ok(Target::Run(run)),
        _ => Err(Malformed::new("thread", "either a thread or a run of it must be given")),
    }
}

pub(super) fn submitted(submitted: Submitted) -> v1::SubmitResponse {
    v1::SubmitResponse {
        run_id: submitted.run.to_string(),
        thread: submitted.thread.to_string(),
        existed: submitted.existed,
        queued: submitted.queued,
        graph_hash: submitted.graph.to_string(),
    }
}

pub(super) fn status(status: Status) -> i32 {
    (match status {
        Status::Queued => v1::RunStatus::Queued,
        Status::Running => v1::RunStatus::Running,
        Status::Waiting => v1::RunStatus::Waiting,
        Status::Cancelling => v1::RunStatus::Cancelling,
        Status::Undoing => v1::RunStatus::Undoing,
        Status::Succeeded => v1::RunStatus::Succeeded,
        Status::Failed => v1::RunStatus::Failed,
        Status::Cancelled => v1::RunStatus::Cancelled,
        Status::Stuck => v1::RunStatus::Stuck,
    }) as i32
}

fn recorded_status(wire: i32) -> Result<Option<RunStatus>, Malformed> {
    use v1::RunStatus as Wire;
    Ok(match Wire::try_from(wire).map_err(|_| Malformed::new("status", format!("unknown value {wire}")))? {
        Wire::Unspecified => None,
        Wire::Queued => Some(RunStatus::Queued),
        Wire::Running | Wire::Waiting => Some(RunStatus::Running),
        Wire::Cancelling => Some(RunStatus::Cancelling),
        Wire::Undoing => Some(RunStatus::Undoing),
        Wire::Succeeded => Some(RunStatus::Succeeded),
        Wire::Failed => Some(RunStatus::Failed),
        Wire::Cancelled => Some(RunStatus::Cancelled),
        Wire::Stuck => Some(RunStatus::Stuck),
    })
}

pub(super) fn list_filter(wire: &v1::ListRunsRequest) -> Result<ListFilter, Malformed> {
    let before = match wire.page_token.as_str() {
        "" => None,
        token => Some(page::page_start(token).ok_or_else(|| Malformed::new("page_token", "it is none of ours"))?),
    };
    Ok(ListFilter {
        status: recorded_status(wire.status)?,
        thread: optional("thread", &wire.thread)?,
        before,
        limit: page_size(wire.page_size)?,
        why: wire.why,
    })
}

pub(super) fn summary(summary: RunSummary) -> v1::Run {
    v1::Run {
        id: summary.run.to_string(),
        thread: summary.thread.to_string(),
        graph: summary.graph_name,
        graph_hash: summary.graph.to_string(),
        status: status(summary.status),
        request_id: text(summary.request_id),
        actor: summary.actor.to_string(),
        created_at_ms: summary.created_at.0,
        ended_at_ms: summary.ended_at.map(|at| at.0),
        waits: summary.waits.into_iter().map(wait).collect(),
        ..v1::Run::default()
    }
}

pub(super) fn run(view: RunView) -> v1::Run {
    v1::Run {
        output_json: view.output.map(|output| output.to_string()),
        failure: view.failure.map(|failure| words::failure_to_wire(failure.failure, failure.node)),
        waits: view.waits.into_iter().map(wait).collect(),
        interrupts: view.questions.into_iter().map(interrupt).collect(),
        nodes: view.groups.into_iter().map(node).collect(),
        head: view.head.0,
        superstep: view.superstep,
        last_event: view.events,
        ..summary(view.summary)
    }
}

fn wait(wait: Wait) -> v1::Wait {
    v1::Wait {
        code: wait.code,
        node: wait.node,
        text: wait.text,
        item: wait.item,
        count: wait.count,
        since_ms: wait.since.map(|at| at.0),
        until_ms: wait.until.map(|at| at.0),
        cure: wait.cure,
        run_id: text(wait.run),
        worker: wait.worker,
    }
}

fn node(group: GroupView) -> v1::NodeProgress {
    v1::NodeProgress {
        node: format!("{}{}", group.prefix, group.group.node),
        activation: group.group.activation,
        tool: group.tool,
        queue: group.queue,
        count: group.count,
        waiting: group.waiting,
        claimed: group.claimed,
        ok: group.ok,
        failed: group.failed,
        cancelled: group.cancelled,
    }
}

pub(super) fn interrupt(view: QuestionView) -> v1::Interrupt {
    v1::Interrupt {
        id: view.id.to_string(),
        run_id: view.run.to_string(),
        node: view.node,
        index: view.index,
        question_json: serde_json::to_string(&view.question).unwrap_or_default(),
        schema_json: view.schema.to_string(),
        opened_at_ms: view.opened_at.0,
        expires_at_ms: view.expires_at.map(|at| at.0),
    }
}

pub(super) fn watched(item: Watched) -> v1::WatchResponse {
    use v1::watch_response::Item;
    let item = match item {
        Watched::Event(event) => Item::Event(self::event(event, Vec::new())),
        Watched::Gap(gap) => Item::Gap(v1::Gap { first: gap.first, last: gap.last }),
        Watched::Live(Live { job, body }) => Item::Live(v1::Live { job: job.to_string(), body_json: body.to_string() }),
    };
    v1::WatchResponse { item: Some(item) }
}

/// An event, and what it changed of the state.
pub(super) fn changing(event: Event, updates: Vec<Update>) -> v1::WatchResponse {
    v1::WatchResponse { item: Some(v1::watch_response::Item::Event(self::event(event, updates))) }
}

fn update(update: Update) -> v1::StateUpdate {
    v1::StateUpdate {
        channel: update.channel,
        after_json: update.after.map(|value| value.to_string()),
        kept: update.kept,
        added_json: update.added.map(|added| Value::from(added).to_string()),
    }
}

fn event(event: Event, updates: Vec<Update>) -> v1::Event {
    v1::Event {
        updates: updates.into_iter().map(update).collect(),
        seq: event.seq,
        at_ms: event.at.0,
        kind: kind(event.kind).to_owned(),
        group: event.group_text(),
        index: event.index,
        number: event.number,
        text: event.text.into_owned(),
    }
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Submitted => "submitted",
        EventKind::Advanced => "advanced",
        EventKind::Opened => "opened",
        EventKind::Claimed => "claimed",
        EventKind::Recorded => "recorded",
        EventKind::LeaseExpired => "lease_expired",
        EventKind::Closed => "closed",
        EventKind::Asked => "asked",
        EventKind::Answered => "answered",
        EventKind::Waits => "waits",
        EventKind::Signalled => "signalled",
        EventKind::Undoing => "undoing",
        EventKind::Edited => "edited",
        EventKind::Retried => "retried",
        EventKind::Repinned => "repinned",
        EventKind::Cancelling => "cancelling",
        EventKind::Parked => "parked",
        EventKind::Ended => "ended",
    }
}

pub(super) fn graph(view: GraphView, with_source: bool) -> v1::Graph {
    v1::Graph {
        name: view.name,
        hash: view.hash.to_string(),
        applied_at_ms: view.applied_at.0,
        source: if with_source { view.source } else { String::new() },
    }
}

pub(super) fn worker(view: WorkerView) -> v1::Worker {
    v1::Worker {
        id: view.id.to_string(),
        class: view.class.name().to_owned(),
        slots: view.slots,
        tools: view.tools.into_iter().map(|tool| tool.name).collect(),
        place: view.place,
        version: view.version,
        seen_at_ms: view.seen_at.0,
    }
}

pub(super) fn queue(view: QueueView) -> v1::Queue {
    v1::Queue { name: view.name, ready: view.ready, consumers: Some(view.consumers) }
}

pub(super) fn artifact(view: ArtifactView) -> v1::Artifact {
    let file = view.file.map(|file| file.display().to_string()).unwrap_or_default();
    v1::Artifact { path: view.path, bytes: view.bytes, file }
}

pub(super) fn audit(entry: baton_common::records::Audit) -> v1::AuditEntry {
    v1::AuditEntry {
        at_ms: entry.at.0,
        actor: entry.actor.to_string(),
        operation: entry.operation,
        run_id: entry.run.to_string(),
        subject: entry.subject,
        before: entry.before.0,
        after: entry.after.0,
        verdict: entry.verdict,
        number: entry.number,
    }
}

pub(super) fn key(key: baton_store::ApiKey) -> v1::Key {
    v1::Key {
        id: key.id,
        tenant: key.tenant.to_string(),
        actor: key.actor.to_string(),
        scopes: key.scopes,
        created_at_ms: key.created_at.0,
        expires_at_ms: key.expires_at.map(|at| at.0),
    }
}
