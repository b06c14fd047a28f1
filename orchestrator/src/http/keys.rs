//! API keys over HTTP: made, listed, ended. What they open is up to [`crate::auth`].

use axum::http::{HeaderValue, Method, StatusCode, header};
use baton_common::{Actor, TenantId};
use baton_store::ApiKey;
use serde_json::{Value, json};

use super::dispatch::bearer;
use super::fields::malformed;
use super::route::{Answer, Call, Route};
use super::view;
use crate::auth::{Scope, scopes};

/// The call that lists keys.
pub(super) const LIST: Route = Route {
    method: Method::GET,
    path: "/v1/keys",
    operation: "listKeys",
    summary: "API keys of the caller's tenant, without their texts.",
    scope: Scope::Operate,
    query: &[],
    headers: &[],
    body: None,
    answers: &[(200, "Keys")],
    codes: &[],
    handler: |call| Box::pin(list(call)),
};

/// Makes a key. Its text is in this answer and nowhere else.
pub(super) async fn create(mut call: Call) -> Answer {
    let actor: Actor = call.body.needed_parsed("actor")?;
    let names = call.body.needed("scopes")?;
    let names: Vec<String> =
        serde_json::from_value(names).map_err(|_| malformed("scopes", "it must be a list of texts"))?;
    let ttl_ms = call.body.number("ttl_ms")?.filter(|ttl| *ttl > 0);
    let tenant: Option<TenantId> = call.body.parsed("tenant")?;
    let auth = &call.services.auth;
    let caller = auth.maker(bearer(&call.headers), call.caller, tenant.as_ref()).await?;
    let (key, secret) = auth.create_for(&caller, actor, &scopes(&names)?, ttl_ms).await?;
    let mut response = view::json(StatusCode::CREATED, &json!({ "key": shown(&key), "secret": secret }));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(super) async fn list(call: Call) -> Answer {
    let keys = call.services.auth.list(&call.caller).await?;
    let keys: Vec<Value> = keys.iter().map(shown).collect();
    Ok(view::json(StatusCode::OK, &json!({ "keys": keys })))
}

pub(super) async fn revoke(mut call: Call) -> Answer {
    let id = call.path.needed_text("key")?;
    let revoked = call.services.auth.revoke(&call.caller, &id).await?;
    Ok(view::json(StatusCode::OK, &json!({ "id": id, "revoked": revoked })))
}

fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "tenant": key.tenant, "actor": key.actor, "scopes": key.scopes,
        "created_at_ms": key.created_at, "expires_at_ms": key.expires_at,
    })
}
