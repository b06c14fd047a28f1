//! Our values as JSON: the names are those of the command line's `--json`, so that what is
//! learnt there holds here.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use baton_common::records::Event;
use baton_engine::spec::Problem;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{Applied, Gap, GraphView, GroupView, Live, QuestionView, RunSummary, RunView, Submitted};

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A value of ours that has the right names already.
pub(super) fn of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// One problem of a graph.
pub(super) fn problem(problem: &Problem) -> Value {
    json!({
        "code": problem.code, "message": problem.message, "label": problem.label,
        "help": problem.help.as_deref().unwrap_or_default(), "file": problem.file, "line": problem.line,
        "column": problem.column, "offset": problem.offset, "length": problem.length,
    })
}

/// An accepted submit.
pub(super) fn submitted(submitted: &Submitted) -> Value {
    json!({
        "run": submitted.run, "thread": submitted.thread, "version": submitted.graph,
        "existed": submitted.existed, "queued": submitted.queued,
    })
}

/// A run's line in a listing.
pub(super) fn summary(summary: &RunSummary) -> Value {
    json!({
        "run": summary.run,
        "thread": summary.thread,
        "graph": summary.graph_name,
        "version": summary.graph,
        "status": summary.status.name(),
        "request_id": summary.request_id,
        "actor": summary.actor,
        "created_at_ms": summary.created_at,
        "ended_at_ms": summary.ended_at,
    })
}

/// A run's line in a listing that says why each does not end.
pub(super) fn explained(summary: &RunSummary) -> Value {
    let mut shown = self::summary(summary);
    shown["waits"] = of(&summary.waits);
    shown
}

/// One run.
pub(super) fn run(run: &RunView) -> Value {
    let mut shown = summary(&run.summary);
    shown["output"] = of(&run.output);
    shown["failure"] = run.failure.as_ref().map_or(Value::Null, |failed| {
        let failure = &failed.failure;
        json!({ "class": failure.class, "code": failure.code, "message": failure.message, "node": failed.node })
    });
    shown["questions"] = run.questions.iter().map(question).collect();
    shown["waits"] = of(&run.waits);
    shown["nodes"] = run.groups.iter().map(node).collect();
    shown["head"] = of(&run.head);
    shown["superstep"] = run.superstep.into();
    shown["last_event"] = run.events.into();
    shown
}

fn node(group: &GroupView) -> Value {
    json!({
        "node": format!("{}{}", group.prefix, group.group.node), "activation": group.group.activation,
        "tool": Some(&group.tool).filter(|tool| !tool.is_empty()), "queue": group.queue,
        "count": group.count, "waiting": group.waiting, "claimed": group.claimed,
        "ok": group.ok, "failed": group.failed, "cancelled": group.cancelled,
    })
}

/// A question to a person.
pub(super) fn question(question: &QuestionView) -> Value {
    json!({
        "id": question.id, "run": question.run, "node": question.node, "index": question.index,
        "question": question.question, "schema": question.schema,
        "opened_at_ms": question.opened_at, "expires_at_ms": question.expires_at,
    })
}

/// What happened to a run.
pub(super) fn event(event: &Event) -> Value {
    json!({
        "seq": event.seq, "at_ms": event.at, "kind": event.kind, "group": event.group_text(),
        "index": event.index, "number": event.number, "text": event.text,
    })
}

/// Events that are not kept any more.
pub(super) fn gap(gap: &Gap) -> Value {
    of(gap)
}

/// Progress of a job.
pub(super) fn live(live: &Live) -> Value {
    json!({ "job": live.job, "body": live.body })
}

/// An applied graph.
pub(super) fn graph(graph: &GraphView) -> Value {
    json!({ "graph": graph.name, "version": graph.hash, "applied_at_ms": graph.applied_at })
}

/// What applying a graph changed.
pub(super) fn applied(applied: &Applied) -> Value {
    json!({ "graph": applied.name, "version": applied.hash, "changed": applied.changed })
}
