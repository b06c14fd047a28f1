//! Graphs: apply, validate, list, show, migrate.

use axum::http::StatusCode;
use baton_engine::spec;
use baton_engine::step::Misfit;
use serde_json::{Value, json};

use super::fields::{Fields, malformed};
use super::refused::Refused;
use super::route::{Answer, Call};
use super::view;
use crate::api::{ApiError, GraphSource, MigrateRequest, Migrated, MigratedRun, page};

pub(super) async fn apply(mut call: Call) -> Answer {
    let source = source(&mut call.body)?;
    match call.services.orchestrator.apply_graph(&call.caller, source.clone()).await {
        Ok(applied) => Ok(view::json(StatusCode::OK, &view::applied(&applied))),
        Err(error) if error.code == "invalid_graph" => {
            let problems = problems(&call, source).await;
            Err(Refused::with_problems(error, problems))
        }
        Err(error) => Err(error.into()),
    }
}

fn source(body: &mut Fields) -> Result<GraphSource, ApiError> {
    Ok(GraphSource {
        text: body.needed_text("source")?,
        name: body.text("name")?.unwrap_or_default(),
        files: body.texts("files")?,
    })
}

/// What is wrong with a text, and where.
async fn problems(call: &Call, source: GraphSource) -> Vec<spec::Problem> {
    let parsed = call.services.orchestrator.inner.parse(&call.caller.tenant, source, true).await;
    parsed.ok().and_then(Result::err).unwrap_or_default()
}

/// What is wrong with a text, as an answer: nothing is refused here.
pub(super) async fn validate(mut call: Call) -> Answer {
    let source = source(&mut call.body)?;
    let parsed = call.services.orchestrator.inner.parse(&call.caller.tenant, source, true).await?;
    let shown = match parsed {
        Ok(graph) => json!({ "graph": graph.name, "version": graph.hash, "problems": [] }),
        Err(problems) => {
            let problems: Vec<Value> = problems.iter().map(view::problem).collect();
            json!({ "graph": null, "version": null, "problems": problems })
        }
    };
    Ok(view::json(StatusCode::OK, &shown))
}

pub(super) async fn list(call: Call) -> Answer {
    let mut graphs = call.services.orchestrator.list_graphs(&call.caller).await?;
    graphs.sort_by(|left, right| left.name.cmp(&right.name));
    let shown: Vec<Value> = graphs.iter().map(view::graph).collect();
    Ok(view::json(StatusCode::OK, &json!({ "graphs": shown })))
}

pub(super) async fn show(mut call: Call) -> Answer {
    let asked = call.path.needed_text("graph")?;
    let found = call.services.orchestrator.get_graph(&call.caller, &asked).await?;
    let found = found.ok_or_else(|| ApiError::not_found("graph", &asked))?;
    let mut shown = view::graph(&found);
    shown["source"] = found.source.into();
    Ok(view::json(StatusCode::OK, &shown))
}

pub(super) async fn migrate(mut call: Call) -> Answer {
    let graph = call.path.needed_text("graph")?;
    let body = &mut call.body;
    let before = match body.text("page")? {
        None => None,
        Some(token) => Some(page::page_start(&token).ok_or_else(|| malformed("page", "it is none of ours"))?),
    };
    let (from, to, dry_run) = (body.parsed("from")?, body.parsed("to")?, body.flag("dry_run")?);
    let asked = body.number("limit")?.unwrap_or(0);
    let limit = page::page_size(u32::try_from(asked).unwrap_or(u32::MAX));
    let request = MigrateRequest { graph, from, to, dry_run, before, limit };
    let done = call.services.orchestrator.migrate(&call.caller, request).await?;
    let runs: Vec<Value> = done.runs.iter().map(migrated).collect();
    let next = done.next.map(page::token_of);
    Ok(view::json(StatusCode::OK, &json!({ "to": done.to, "runs": runs, "next_page": next })))
}

fn migrated(run: &MigratedRun) -> Value {
    let (result, misfits): (_, &[Misfit]) = match &run.result {
        Migrated::Fits => ("fits", &[]),
        Migrated::Misfit(misfits) => ("misfit", misfits),
        Migrated::Migrated => ("migrated", &[]),
        Migrated::MovedOn => ("moved_on", &[]),
    };
    json!({
        "run": run.run, "thread": run.thread, "status": run.status, "from": run.from,
        "result": result, "misfits": misfits,
    })
}
