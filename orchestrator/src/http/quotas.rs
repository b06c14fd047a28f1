//! Quotas over HTTP.

use axum::http::{Method, StatusCode};
use baton_common::records::QuotaScope;
use serde_json::{Value, json};

use super::route::{Answer, Call, Route};
use super::view;
use crate::api::{QuotaRequest, QuotaView};
use crate::auth::Scope;

pub(super) const SET: Route = Route {
    method: Method::POST,
    path: "/v1/quotas",
    operation: "setQuota",
    summary: "Sets a quota, in place of the one of that name.",
    scope: Scope::Operate,
    query: &[],
    headers: &[],
    body: Some("QuotaRequest"),
    answers: &[(200, "Quota")],
    codes: &["invalid_quota"],
    handler: |call| Box::pin(set(call)),
};

pub(super) const LIST: Route = Route {
    method: Method::GET,
    path: "/v1/quotas",
    operation: "listQuotas",
    summary: "Quotas the caller's tenant set or that are about it, its own first.",
    scope: Scope::Read,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "Quotas")],
    codes: &[],
    handler: |call| Box::pin(list(call)),
};

pub(super) const GET: Route = Route {
    method: Method::GET,
    path: "/v1/quotas/{quota}",
    operation: "getQuota",
    summary: "One quota, and what is used of it.",
    scope: Scope::Read,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "Quota")],
    codes: &["quota_not_found"],
    handler: |call| Box::pin(get(call)),
};

pub(super) const DELETE: Route = Route {
    method: Method::DELETE,
    path: "/v1/quotas/{quota}",
    operation: "deleteQuota",
    summary: "Deletes a quota of the caller's tenant.",
    scope: Scope::Operate,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "QuotaDeleted")],
    codes: &["quota_not_found"],
    handler: |call| Box::pin(delete(call)),
};

async fn set(mut call: Call) -> Answer {
    let body = &mut call.body;
    let scope = QuotaScope {
        tenant: body.text("tenant")?,
        tool: body.text("tool")?,
        route: body.text("route")?,
        key: body.text("key")?,
    };
    let (name, limit) = (body.needed_text("name")?, body.needed_text("limit")?);
    let request = QuotaRequest { name, scope, limit, beyond: body.text("beyond")?.unwrap_or_default() };
    let set = call.services.orchestrator.set_quota(&call.caller, request).await?;
    Ok(view::json(StatusCode::OK, &shown(&set)))
}

async fn list(call: Call) -> Answer {
    let quotas = call.services.orchestrator.quotas(&call.caller).await?;
    let shown: Vec<Value> = quotas.iter().map(shown).collect();
    Ok(view::json(StatusCode::OK, &json!({ "quotas": shown })))
}

async fn get(mut call: Call) -> Answer {
    let name = call.path.needed_text("quota")?;
    let found = call.services.orchestrator.quota(&call.caller, &name).await?;
    Ok(view::json(StatusCode::OK, &shown(&found)))
}

async fn delete(mut call: Call) -> Answer {
    let name = call.path.needed_text("quota")?;
    call.services.orchestrator.delete_quota(&call.caller, &name).await?;
    Ok(view::json(StatusCode::OK, &json!({ "name": name, "deleted": true })))
}

fn shown(view: &QuotaView) -> Value {
    let QuotaView { quota, own, seen } = view;
    json!({
        "name": quota.name, "owner": quota.owner, "tenant": quota.scope.tenant, "tool": quota.scope.tool,
        "route": quota.scope.route, "key": quota.scope.key, "limit": quota.limit.to_string(),
        "beyond": quota.beyond.name(), "set_at_ms": quota.set_at, "own": own,
        "held": seen.as_ref().map(|seen| seen.held), "waiting": seen.as_ref().map(|seen| seen.waiting),
        "used": seen.as_ref().map(|seen| seen.used),
    })
}
