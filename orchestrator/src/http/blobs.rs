//! What operators ask of the blob store over HTTP.

use axum::http::{Method, StatusCode};

use super::route::{Answer, Call, Route};
use super::view;
use crate::auth::Scope;

pub(super) const SWEEP: Route = Route {
    method: Method::POST,
    path: "/v1/blobs/sweep",
    operation: "sweepBlobs",
    summary: "Deletes blobs that nothing refers to, or tells which it would.",
    scope: Scope::Operate,
    query: &["dry_run"],
    headers: &[],
    body: None,
    answers: &[(200, "BlobSweep")],
    codes: &[],
    handler: |call| Box::pin(sweep(call)),
};

pub(super) async fn sweep(mut call: Call) -> Answer {
    let dry = call.query.flag("dry_run")?;
    let found = call.services.orchestrator.sweep_blobs(&call.caller, dry).await?;
    Ok(view::json(StatusCode::OK, &view::of(&found)))
}
