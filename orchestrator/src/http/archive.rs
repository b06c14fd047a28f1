//! Runs whose records were removed, over HTTP.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::route::{Answer, Call, Route};
use super::view;
use crate::auth::Scope;

pub(super) const LIST: Route = Route {
    method: Method::GET,
    path: "/v1/archive",
    operation: "listArchives",
    summary: "Runs whose records were removed, by id.",
    scope: Scope::Read,
    query: &["limit", "page"],
    headers: &[],
    body: None,
    answers: &[(200, "Archives")],
    codes: &[],
    handler: |call| Box::pin(list(call)),
};

pub(super) const GET: Route = Route {
    method: Method::GET,
    path: "/v1/archive/{run}",
    operation: "getArchive",
    summary: "What was written down of one of them: lines of JSON, compressed with gzip.",
    scope: Scope::Read,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "File")],
    codes: &["archive_not_found"],
    handler: |call| Box::pin(get(call)),
};

pub(super) async fn list(mut call: Call) -> Answer {
    let limit = call.query.number("limit")?.unwrap_or(0);
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let after = call.query.parsed("page")?;
    let page = call.services.orchestrator.archives(&call.caller, after, limit).await?;
    let shown = page
        .archives
        .iter()
        .map(|archive| json!({ "run": archive.run, "bytes": archive.bytes, "archived_at_ms": archive.archived_at }));
    let shown: Vec<Value> = shown.collect();
    Ok(view::json(StatusCode::OK, &json!({ "archives": shown, "next_page": page.next })))
}

/// The compressed lines of one.
pub(super) async fn get(mut call: Call) -> Answer {
    let run = call.path.needed_parsed("run")?;
    let found = call.services.orchestrator.archive(&call.caller, run).await?;
    let mut response = Response::new(Body::from_stream(found.content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(found.archive.bytes));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
