//! What operators ask of the blob store over HTTP.

use axum::http::StatusCode;

use super::route::{Answer, Call};
use super::view;

pub(super) async fn sweep(mut call: Call) -> Answer {
    let dry = call.query.flag("dry_run")?;
    let found = call.services.orchestrator.sweep_blobs(&call.caller, dry).await?;
    Ok(view::json(StatusCode::OK, &view::of(&found)))
}
