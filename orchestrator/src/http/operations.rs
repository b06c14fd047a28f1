//! Operations over many runs or jobs, and whether the audit holds.

use axum::http::StatusCode;
use baton_common::records::RunStatus;
use baton_common::{Gen, JobId, RunId};
use baton_store::audit::KeptHead;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{Fields, malformed};
use super::route::{Answer, Call};
use super::view;
use crate::api::{Action, ApiError, Sealed, Selection};

/// An item as a preview told it; the rest of it is for people.
#[derive(Deserialize)]
struct Told {
    run: RunId,
    generation: Gen,
    job: Option<JobId>,
    seen: u32,
    kind: String,
    seal: String,
}

pub(super) async fn preview(mut call: Call) -> Answer {
    let (action, wanted) = (action(&mut call.body)?, selection(&mut call.body)?);
    let preview = call.services.orchestrator.preview(&call.caller, action, wanted).await?;
    Ok(view::json(StatusCode::OK, &view::of(&preview)))
}

pub(super) async fn apply(mut call: Call) -> Answer {
    let (operation, action) = (call.body.needed_text("operation")?, action(&mut call.body)?);
    let told: Vec<Told> =
        serde_json::from_value(call.body.needed("items")?).map_err(|error| malformed("items", error))?;
    let sealed = |told: Told| {
        let Told { run, generation, job, seen, kind, seal } = told;
        Sealed { run, generation, job, seen, kind, seal }
    };
    let items = told.into_iter().map(sealed).collect();
    let done = call.services.orchestrator.apply_operation(&call.caller, &operation, action, items).await?;
    Ok(view::json(StatusCode::OK, &json!({ "results": view::of(&done) })))
}

pub(super) async fn verify_audit(mut call: Call) -> Answer {
    let heads: Vec<KeptHead> = match call.body.value("heads") {
        None | Some(Value::Null) => Vec::new(),
        Some(heads) => serde_json::from_value(heads).map_err(|error| malformed("heads", error))?,
    };
    let verdict = call.services.orchestrator.verify_audit(&call.caller, heads).await?;
    Ok(view::json(StatusCode::OK, &view::of(&verdict)))
}

fn action(body: &mut Fields) -> Result<Action, ApiError> {
    let name = body.needed_text("action")?;
    Action::from_name(&name).ok_or_else(|| malformed("action", "use cancel, retry, redrive or drop"))
}

fn selection(body: &mut Fields) -> Result<Selection, ApiError> {
    let status = match body.text("status")? {
        None => None,
        Some(name) => Some(RunStatus::from_name(&name).ok_or_else(|| malformed("status", "there is no such status"))?),
    };
    Ok(Selection {
        run: body.parsed("run")?,
        graph: body.text("graph")?,
        status,
        why: body.text("why")?,
        tool: body.text("tool")?,
        node: body.text("node")?,
        class: body.text("class")?,
        older_than_ms: body.number("older_than_ms")?.unwrap_or(0),
        limit: u32::try_from(body.number("limit")?.unwrap_or(0)).unwrap_or(u32::MAX),
    })
}
