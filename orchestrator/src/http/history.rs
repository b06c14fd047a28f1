//! A run's past over HTTP: its checkpoints, states and differences, and going on from them.

use axum::http::{HeaderValue, StatusCode, header};
use baton_common::{RunId, Seq};
use serde_json::{Map, Value, json};

use super::fields::{Fields, malformed};
use super::route::{Answer, Call};
use super::runs::IDEMPOTENCY_KEY;
use super::view;
use crate::api::{ApiError, ChannelChange, CheckpointView, ForkRequest, page};

pub(super) async fn checkpoints(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let (before, limit) = (seq(&mut call.query, "before")?, limit(&mut call.query)?);
    let page = call.services.orchestrator.checkpoints(&call.caller, run, before, limit).await?;
    let shown: Vec<Value> = page.checkpoints.iter().map(checkpoint).collect();
    Ok(view::json(StatusCode::OK, &json!({ "checkpoints": shown, "next": page.next })))
}

pub(super) async fn state(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let at = seq(&mut call.query, "at")?;
    let state = call.services.orchestrator.state(&call.caller, run, at).await?;
    let at = &state.checkpoint.checkpoint;
    Ok(view::json(StatusCode::OK, &json!({ "at": at.seq, "hash": at.hash, "values": state.values })))
}

pub(super) async fn diff(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let from = Seq(call.query.number("from")?.unwrap_or(0));
    let to = seq(&mut call.query, "to")?;
    let diff = call.services.orchestrator.diff(&call.caller, run, from, to).await?;
    let changes: Vec<Value> = diff.changes.iter().map(change).collect();
    Ok(view::json(StatusCode::OK, &json!({ "from": diff.from, "to": diff.to, "changes": changes })))
}

pub(super) async fn edit(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let expected = call.body.number("expected")?.ok_or_else(|| malformed("expected", "it is missing"))?;
    let set = set(&mut call.body)?;
    let edited = call.services.orchestrator.edit(&call.caller, run, Seq(expected), set).await?;
    Ok(view::json(StatusCode::OK, &json!({ "checkpoint": edited.seq, "existed": edited.existed })))
}

pub(super) async fn fork(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let request_id = match (call.body.parsed("request_id")?, call.header(IDEMPOTENCY_KEY)) {
        (None, Some(key)) => Some(key.parse().map_err(|error| malformed(IDEMPOTENCY_KEY, error))?),
        (named, _) => named,
    };
    let body = &mut call.body;
    let (from, set, thread) = (seq(body, "from")?, set(body)?, body.parsed("thread")?);
    let made =
        call.services.orchestrator.fork(&call.caller, ForkRequest { run, from, set, thread, request_id }).await?;
    let status = if made.existed { StatusCode::OK } else { StatusCode::CREATED };
    let shown = json!({ "run": made.run, "thread": made.thread, "existed": made.existed });
    let mut response = view::json(status, &shown);
    if let Ok(place) = HeaderValue::try_from(format!("/v1/runs/{}", made.run)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn retry(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let from = seq(&mut call.body, "from")?;
    let retried = call.services.orchestrator.retry(&call.caller, run, from).await?;
    let shown = json!({ "run": run, "generation": retried.generation, "existed": retried.existed });
    Ok(view::json(StatusCode::OK, &shown))
}

pub(super) async fn replay(mut call: Call) -> Answer {
    let run = run_id(&mut call)?;
    let done = call.services.orchestrator.replay(&call.caller, run).await?;
    let difference = done.difference.map(|difference| {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let (recorded, computed) = (parsed(&difference.recorded), parsed(&difference.computed));
        json!({ "checkpoint": difference.seq, "recorded": recorded, "computed": computed })
    });
    let shown = json!({ "advances": done.advances, "checkpoints": done.checkpoints, "difference": difference });
    Ok(view::json(StatusCode::OK, &shown))
}

fn checkpoint(view: &CheckpointView) -> Value {
    let CheckpointView { checkpoint, open, waiting, bytes } = view;
    json!({
        "seq": checkpoint.seq, "parent": checkpoint.parent, "run": checkpoint.run, "generation": checkpoint.r#gen,
        "superstep": checkpoint.superstep, "at_ms": checkpoint.at, "hash": checkpoint.hash, "wrote": checkpoint.wrote,
        "open": open, "waiting": waiting, "bytes": bytes,
    })
}

fn change(change: &ChannelChange) -> Value {
    let ChannelChange { channel, before, after, kept } = change;
    json!({ "channel": channel, "before": before, "after": after, "kept": kept })
}

/// A checkpoint's number; 0 is none, as over gRPC.
fn seq(fields: &mut Fields, name: &str) -> Result<Option<Seq>, ApiError> {
    Ok(fields.number(name)?.filter(|seq| *seq != 0).map(Seq))
}

/// Values by channel; nothing is no change.
fn set(body: &mut Fields) -> Result<Map<String, Value>, ApiError> {
    match body.value("set") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(set)) => Ok(set),
        Some(_) => Err(malformed("set", "it must be an object of channels and values")),
    }
}

fn limit(query: &mut Fields) -> Result<u32, ApiError> {
    let asked = query.number("limit")?.unwrap_or(0);
    Ok(page::page_size(u32::try_from(asked).unwrap_or(u32::MAX)))
}

fn run_id(call: &mut Call) -> Result<RunId, ApiError> {
    call.path.needed_parsed("run")
}
