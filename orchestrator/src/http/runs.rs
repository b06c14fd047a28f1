//! Runs: submit, look at, watch, answer, cancel.

use axum::http::{HeaderValue, StatusCode, header};
use baton_common::records::RunStatus;
use baton_common::sources::nearest;
use baton_common::{RequestId, RunId};
use serde_json::{Map, Value, json};

use super::fields::{Fields, malformed};
use super::route::{Answer, Call};
use super::{sse, view};
use crate::api::{ApiError, GraphRef, GraphSource, ListFilter, SubmitRequest, Target, Which, page};

/// Names a submit as `request_id` does, and a signal as `id` does, for clients that repeat calls by themselves.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) async fn submit(mut call: Call) -> Answer {
    let named: Option<RequestId> = call.body.parsed("request_id")?;
    let request_id = match (named, call.header(IDEMPOTENCY_KEY)) {
        (None, Some(key)) => Some(key.parse().map_err(|error| malformed(IDEMPOTENCY_KEY, error))?),
        (named, _) => named,
    };
    let input = match call.body.value("input") {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(input) => input,
    };
    let traceparent = call.body.text("traceparent")?;
    let record = call.body.flag("record")?;
    let (graph, thread) = (graph_ref(&mut call.body)?, call.body.parsed("thread")?);
    let request = SubmitRequest { graph, input, request_id, thread, traceparent, record };
    let submitted = call.services.orchestrator.submit(&call.caller, request).await?;
    let status = if submitted.existed { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = view::json(status, &view::submitted(&submitted));
    if let Ok(place) = HeaderValue::try_from(format!("/v1/runs/{}", submitted.run)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// A name or a text, and never both.
fn graph_ref(body: &mut Fields) -> Result<GraphRef, ApiError> {
    let (graph, text, files) = (body.text("graph")?, body.text("source")?, body.texts("files")?);
    match (graph, text) {
        (Some(graph), None) => GraphRef::named(&graph).map_err(|error| malformed("graph", error)),
        (None, Some(text)) => Ok(GraphRef::Source(GraphSource { text, name: String::new(), files })),
        _ => Err(malformed("graph", "either a name or a source must be given")),
    }
}

pub(super) async fn get(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let found = call.services.orchestrator.get(&call.caller, run).await?;
    Ok(view::json(StatusCode::OK, &view::run(&found)))
}

pub(super) async fn list(mut call: Call) -> Answer {
    let query = &mut call.query;
    let before = match query.text("page")? {
        None => None,
        Some(token) => Some(page::page_start(&token).ok_or_else(|| malformed("page", "it is none of ours"))?),
    };
    let status = query.text("status")?.map(|name| status(&name)).transpose()?;
    let (limit, why) = (limit(query)?, query.flag("why")?);
    let filter = ListFilter { status, thread: query.parsed("thread")?, before, limit, why };
    let runs = call.services.orchestrator.list(&call.caller, filter).await?;
    let shown: Vec<Value> = runs.iter().map(if why { view::explained } else { view::summary }).collect();
    Ok(view::json(StatusCode::OK, &json!({ "runs": shown, "next_page": page::page_token(&runs, limit) })))
}

/// A status that is recorded. Waiting is derived, so in listings it counts as running.
fn status(name: &str) -> Result<RunStatus, ApiError> {
    const KNOWN: [(&str, RunStatus); 9] = [
        ("queued", RunStatus::Queued),
        ("running", RunStatus::Running),
        ("waiting", RunStatus::Running),
        ("cancelling", RunStatus::Cancelling),
        ("undoing", RunStatus::Undoing),
        ("succeeded", RunStatus::Succeeded),
        ("failed", RunStatus::Failed),
        ("cancelled", RunStatus::Cancelled),
        ("stuck", RunStatus::Stuck),
    ];
    let found = KNOWN.iter().find(|(known, _)| *known == name);
    found.map(|(_, status)| *status).ok_or_else(|| {
        let names = KNOWN.iter().map(|(known, _)| *known);
        let mut error = malformed("status", format!("there is no status {name:?}"));
        error.cure = match nearest(name, names.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        error
    })
}

fn limit(query: &mut Fields) -> Result<u32, ApiError> {
    let asked = query.number("limit")?.unwrap_or(0);
    Ok(page::page_size(u32::try_from(asked).unwrap_or(u32::MAX)))
}

pub(super) async fn events(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let after = call.query.number("after")?.unwrap_or(0);
    let state = call.query.flag("state")?;
    sse::events(&call, run, after, state).await
}

pub(super) async fn answer(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let which = Which::named(call.body.needed_text("question")?);
    let decision = call.body.needed("decision")?;
    let answered = call.services.orchestrator.answer(&call.caller, run, which, decision).await?;
    let answered = json!({ "question": answered.interrupt, "existed": answered.existed });
    Ok(view::json(StatusCode::OK, &answered))
}

pub(super) async fn cancel(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let cancel = call.services.orchestrator.cancel(&call.caller, run).await?;
    Ok(view::json(StatusCode::OK, &json!({ "run": run, "existed": cancel.existed })))
}

/// Tells a thread something, or the thread of a run.
pub(super) async fn signal(mut call: Call) -> Answer {
    let target = match call.path.parsed("thread")? {
        Some(thread) => Target::Thread(thread),
        None => Target::Run(run_id(&mut call)?),
    };
    let (name, id) = (call.body.needed_text("name")?, call.body.text("id")?.or_else(|| call.header(IDEMPOTENCY_KEY)));
    let value = call.body.value("value").unwrap_or_default();
    let sent = call.services.orchestrator.signal(&call.caller, target, name, id, value).await?;
    Ok(view::json(StatusCode::OK, &view::of(&sent)))
}

pub(super) async fn questions(mut call: Call) -> Answer {
    let limit = limit(&mut call.query)?;
    let open = call.services.orchestrator.inbox(&call.caller, limit).await?;
    let shown: Vec<Value> = open.iter().map(view::question).collect();
    Ok(view::json(StatusCode::OK, &json!({ "questions": shown })))
}

fn run_id(call: &mut Call) -> Result<RunId, ApiError> {
    call.path.needed_parsed("run")
}
