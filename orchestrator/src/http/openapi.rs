//! The document that describes every call: OpenAPI 3.1, made from [`ROUTES`] and the
//! schemas beside this file. The same text lies in `docs/openapi.json`; a test holds the
//! two together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::codes::{CODES, STATUSES};
use super::route::Route;
use super::routes::ROUTES;
use super::view;

/// Schemas of bodies and answers, parameters, and the paths that are no calls.
static PARTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("schemas.json")).unwrap_or_default());

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The document.
pub(super) async fn serve() -> Response {
    view::json(StatusCode::OK, &DOCUMENT)
}

/// The names that an object of that schema may have.
pub(super) fn properties(schema: &str) -> impl Iterator<Item = &'static str> + Clone + use<> {
    let names = PARTS["schemas"][schema]["properties"].as_object();
    names.into_iter().flat_map(|names| names.keys().map(String::as_str))
}

/// The document as a value.
pub(super) fn document() -> Value {
    let mut paths = PARTS["paths"].as_object().cloned().unwrap_or_default();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    let mut responses = Map::new();
    for (status, codes) in CODES {
        responses.insert(common(*status), response(*status, codes.iter().copied()));
    }
    let mut schemas = PARTS["schemas"].clone();
    schemas["Error"]["properties"]["error"]["properties"]["code"]["examples"] = codes().into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Baton",
            "version": "1",
            "summary": "The control plane that agentic systems run on",
            "description": PARTS["description"],
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:7421" }],
        "security": [{ "key": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "An API key: `baton keys create`. A server without keys asks for none." } },
            "parameters": PARTS["parameters"],
            "schemas": schemas,
            "responses": responses,
        },
    })
}

/// Every code that a call may be refused with.
pub(super) fn codes() -> BTreeSet<&'static str> {
    CODES.iter().chain(STATUSES).flat_map(|(_, codes)| codes.iter().copied()).collect()
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.summary,
        "description": format!("Asks for a key with the scope `{}`.", route.scope.name()),
        "responses": responses(route),
    });
    let in_path = route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let beside = route.query.iter().chain(route.headers).map(|name| (*name).to_owned());
    let names = in_path.map(|name| format!("path.{name}")).chain(beside);
    let parameters: Vec<Value> =
        names.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(schema) = route.body {
        operation["requestBody"] = json!({ "required": true, "content": content(schema) });
    }
    operation
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, schema) in route.answers {
        let mut answer = json!({ "description": reason(*status) });
        match *schema {
            "" => {}
            "File" => answer["content"] = json!({ "application/octet-stream": {} }),
            "EventStream" => answer["content"] = PARTS["streams"][route.operation].clone(),
            schema => answer["content"] = content(schema),
        }
        responses.insert(status.to_string(), answer);
    }
    let mut own: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for (status, codes) in STATUSES {
        let here = codes.iter().filter(|code| route.codes.contains(*code)).copied();
        own.entry(*status).or_default().extend(here);
    }
    for (status, general) in CODES {
        let body = route.body.is_some();
        if matches!(status, 404 | 405) || (matches!(status, 408 | 413 | 415) && !body) {
            continue;
        }
        match own.entry(*status).or_default() {
            none if none.is_empty() => {
                let name = format!("#/components/responses/{}", common(*status));
                responses.insert(status.to_string(), json!({ "$ref": name }));
            }
            own => own.extend(general.iter().copied()),
        }
    }
    for (status, codes) in own.into_iter().filter(|(_, codes)| !codes.is_empty()) {
        responses.insert(status.to_string(), response(status, codes.iter().copied()));
    }
    Value::Object(responses)
}

/// The name of what every call may answer with that status.
fn common(status: u16) -> String {
    format!("Error{status}")
}

fn response<'c>(status: u16, codes: impl Iterator<Item = &'c str> + Clone) -> Value {
    let listed = codes.clone().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    json!({
        "description": format!("{}: {listed}", reason(status)),
        "content": content("Error"),
        "x-error-codes": codes.collect::<Vec<_>>(),
    })
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}
