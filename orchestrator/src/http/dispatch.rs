//! The way of a call: is it let through, does it read, and then its handler. Everything
//! that is refused here is refused for every call alike.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use baton_common::TraceContext;
use baton_common::trace::TRACEPARENT;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::fields::{Fields, malformed};
use super::refused::Refused;
use super::route::{Answer, Call, Route};
use super::routes::ROUTES;
use super::{openapi, origin, probes};
use crate::Services;
use crate::api::{ApiError, ErrorKind};

/// The largest body that is read.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest path with its query.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;
/// All headers of a request together.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Every path that is served.
pub(super) fn router(services: Services, heartbeat: Duration) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
        let services = services.clone();
        let handler = move |path: RawPathParams, request: Request| {
            let services = services.clone();
            async move { answer(route, services, path, request, heartbeat).await.unwrap_or_else(refused) }
        };
        router = router.route(route.path, on(filter, handler));
    }
    let (ready, measured) = (probes::Ready::new(services.clone()), services.orchestrator);
    router
        .route("/healthz", get(probes::alive))
        .route("/readyz", get(move || async move { ready.answer().await }))
        .route("/metrics", get(move || async move { probes::metrics(&measured).await }))
        .route("/openapi.json", get(openapi::serve))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
}

fn refused(refused: Refused) -> Response {
    refused.into_response()
}

async fn answer(
    route: &'static Route,
    services: Services,
    path: RawPathParams,
    request: Request,
    heartbeat: Duration,
) -> Answer {
    if services.shutdown.is_cancelled() {
        return Err(ApiError::draining().into());
    }
    let (parts, body) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|asked| asked.as_str().len() > ADDRESS_BYTES_MAX) {
        let cause = format!("path and query have more than {ADDRESS_BYTES_MAX} bytes");
        let error = ApiError::invalid("request_too_large", cause, "pass what is long in a body");
        return Err(Refused::with_status(error, StatusCode::URI_TOO_LONG));
    }
    if parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADER_BYTES_MAX {
        let cause = format!("the headers have more than {HEADER_BYTES_MAX} bytes");
        let error = ApiError::invalid("request_too_large", cause, "pass what is long in a body");
        return Err(Refused::with_status(error, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    let key = bearer(&parts.headers);
    if key.is_none() {
        origin::check(&parts.headers)?;
    }
    let mut caller = services.auth.caller(key, route.scope).await?;
    caller.trace = TraceContext::read(parts.headers.get(TRACEPARENT).and_then(|text| text.to_str().ok()));
    let query = Fields::of_query(parts.uri.query(), route.query)?;
    let body = fields(route, &parts.headers, body).await?;
    let path = Fields::of_path(&path);
    (route.handler)(Call { services, caller, headers: parts.headers, path, query, body, heartbeat }).await
}

/// The key of a call.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()).filter(|key| !key.is_empty())
}

/// The body of a call: an object with names its schema has.
async fn fields(route: &Route, headers: &HeaderMap, body: Body) -> Result<Fields, Refused> {
    let bytes = read(body).await?;
    let known = || route.body.into_iter().flat_map(openapi::properties);
    if bytes.is_empty() {
        return Ok(Fields::known(Map::new(), known())?);
    }
    // A page from elsewhere cannot send this type without asking first.
    if !headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes())) {
        let error =
            ApiError::invalid("not_json", "the body is not said to be JSON", "send Content-Type: application/json");
        return Err(Refused::with_status(error, StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(values)) => Ok(Fields::known(values, known())?),
        Ok(_) => Err(malformed("body", "it must be an object").into()),
        Err(error) => Err(malformed("body", format!("it is no JSON: {error}")).into()),
    }
}

fn is_json(value: &[u8]) -> bool {
    let media = value.split(|byte| *byte == b';').next().unwrap_or_default();
    media.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

async fn read(body: Body) -> Result<Bytes, Refused> {
    let gathered = tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    match gathered {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let cause = format!("the body has more than {BODY_BYTES_MAX} bytes");
            let error = ApiError::invalid("request_too_large", cause, "pass large values as files");
            Err(Refused::with_status(error, StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(_)) => Err(malformed("body", "it broke off").into()),
        Err(_) => {
            let cause = format!("it did not arrive within {} s", BODY_WITHIN.as_secs());
            Err(Refused::with_status(malformed("body", cause), StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// Nothing is served at that path.
async fn nowhere(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let cause = format!("nothing is served at {path}");
    refused(ApiError::new(ErrorKind::NotFound, "no_such_path", cause, "look at /openapi.json").into())
}

/// The path is served, but not so.
async fn not_so(method: Method, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let cause = format!("{path} does not take {method}");
    let error = ApiError::invalid("method_not_allowed", cause, "look at /openapi.json");
    refused(Refused::with_status(error, StatusCode::METHOD_NOT_ALLOWED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_bearer() {
        let key = |text: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().expect("a value"))]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!((key("Bearer k").as_deref(), key("bearer  k ").as_deref()), (Some("k"), Some("k")));
        assert_eq!((key("Basic k"), key("Bearer "), key("k")), (None, None, None));
    }

    #[test]
    fn only_json_is_json() {
        assert!(is_json(b"application/json") && is_json(b"Application/JSON; charset=utf-8"));
        assert!(!is_json(b"text/plain") && !is_json(b"application/x-www-form-urlencoded") && !is_json(b""));
    }
}
