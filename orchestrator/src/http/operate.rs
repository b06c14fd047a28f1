//! What operators look at over HTTP: workers, queues, files of runs, the audit.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use baton_common::Timestamp;
use serde_json::{Value, json};

use super::route::{Answer, Call, Route};
use super::view;
use crate::api::{AuditFilter, WorkerView, page};
use crate::auth::Scope;

pub(super) async fn workers(call: Call) -> Answer {
    let workers = call.services.orchestrator.workers(&call.caller).await?;
    let shown: Vec<Value> = workers.iter().map(worker).collect();
    Ok(view::json(StatusCode::OK, &json!({ "workers": shown })))
}

fn worker(worker: &WorkerView) -> Value {
    let tools: Vec<&str> = worker.tools.iter().map(|tool| tool.name.as_str()).collect();
    json!({
        "id": worker.id.to_string(), "class": worker.class.name(), "slots": worker.slots, "tools": tools,
        "place": worker.place, "version": worker.version, "seen_at_ms": worker.seen_at,
    })
}

pub(super) async fn queues(call: Call) -> Answer {
    let queues = call.services.orchestrator.queues(&call.caller).await?;
    let shown =
        queues.iter().map(|queue| json!({ "queue": queue.name, "ready": queue.ready, "consumers": queue.consumers }));
    Ok(view::json(StatusCode::OK, &json!({ "queues": shown.collect::<Vec<_>>() })))
}

pub(super) async fn artifacts(mut call: Call) -> Answer {
    let run = call.path.needed_parsed("run")?;
    let artifacts = call.services.orchestrator.artifacts(&call.caller, run).await?;
    Ok(view::json(StatusCode::OK, &json!({ "artifacts": view::of(&artifacts) })))
}

/// The bytes of a file. Whatever made it, a browser shows none of it as a page of ours.
pub(super) async fn artifact(mut call: Call) -> Answer {
    let (run, path) = (call.path.needed_parsed("run")?, call.query.needed_text("path")?);
    let found = call.services.orchestrator.artifact(&call.caller, run, &path).await?;
    let mut response = Response::new(Body::from_stream(found.content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(found.artifact.bytes));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

pub(super) async fn audit(mut call: Call) -> Answer {
    let asked = call.query.number("limit")?.unwrap_or(0);
    let limit = page::page_size(u32::try_from(asked).unwrap_or(u32::MAX));
    let moment = |at: Option<u64>| at.map(|at| Timestamp(i64::try_from(at).unwrap_or(i64::MAX)));
    let filter = AuditFilter {
        run: call.query.parsed("run")?,
        actor: call.query.parsed("actor")?,
        operation: call.query.text("operation")?,
        since: moment(call.query.number("since_ms")?),
        until: moment(call.query.number("until_ms")?),
        limit,
    };
    let entries = call.services.orchestrator.audit(&call.caller, filter).await?;
    let shown = entries.iter().map(|entry| {
        json!({
            "at_ms": entry.at, "actor": entry.actor, "operation": entry.operation, "run": entry.run,
            "subject": entry.subject, "before": entry.before, "after": entry.after, "verdict": entry.verdict, "number": entry.number,
        })
    });
    Ok(view::json(StatusCode::OK, &json!({ "entries": shown.collect::<Vec<_>>() })))
}

pub(super) const UNPARK: Route = Route {
    method: Method::POST,
    path: "/v1/runs/{run}/unpark",
    operation: "unparkRun",
    summary: "Lets a run go on that an operator had to look at.",
    scope: Scope::Operate,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "Unparked")],
    codes: &["run_not_found"],
    handler: |call| Box::pin(unpark(call)),
};

async fn unpark(mut call: Call) -> Answer {
    let run = call.path.needed_parsed("run")?;
    let unparked = call.services.orchestrator.unpark(&call.caller, run).await?;
    Ok(view::json(StatusCode::OK, &json!({ "run": run, "unparked": unparked })))
}
