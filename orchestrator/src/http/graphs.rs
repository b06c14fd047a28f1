//! Graphs: apply and list.

use axum::http::StatusCode;
use baton_engine::spec;
use serde_json::{Value, json};

use super::refused::Refused;
use super::route::{Answer, Call};
use super::view;
use crate::api::GraphSource;

pub(super) async fn apply(mut call: Call) -> Answer {
    let body = &mut call.body;
    let source = GraphSource {
        text: body.needed_text("source")?,
        name: body.text("name")?.unwrap_or_default(),
        files: body.texts("files")?,
    };
    match call.services.orchestrator.apply_graph(&call.caller, source.clone()).await {
        Ok(applied) => Ok(view::json(StatusCode::OK, &view::applied(&applied))),
        Err(error) if error.code == "invalid_graph" => {
            let problems = problems(&call, source).await;
            Err(Refused::with_problems(error, problems))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with a text, and where.
async fn problems(call: &Call, source: GraphSource) -> Vec<spec::Problem> {
    let parsed = call.services.orchestrator.inner.parse(&call.caller.tenant, source, true).await;
    parsed.ok().and_then(Result::err).unwrap_or_default()
}

pub(super) async fn list(call: Call) -> Answer {
    let mut graphs = call.services.orchestrator.list_graphs(&call.caller).await?;
    graphs.sort_by(|left, right| left.name.cmp(&right.name));
    let shown: Vec<Value> = graphs.iter().map(view::graph).collect();
    Ok(view::json(StatusCode::OK, &json!({ "graphs": shown })))
}
