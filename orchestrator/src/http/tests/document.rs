//! The document says what is served, and what is served is what it says.

use std::path::Path;

use expect_test::expect_file;
use serde_json::{Value, json};

use super::rig::{ASKS, Rig};
use crate::http::codes::{CODES, STATUSES};
use crate::http::openapi;
use crate::http::routes::ROUTES;

/// A schema of the document, with everything it refers to.
fn schema(document: &Value, name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] })
}

#[track_caller]
pub(super) fn check(document: &Value, name: &str, value: &Value) {
    let validator = jsonschema::draft202012::new(&schema(document, name)).expect("a schema");
    let problems: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{name}: {problems:?}\n{value:#}");
}

fn errors_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors")
}

#[test]
fn the_file_in_the_docs_is_the_document_that_is_served() {
    let text = serde_json::to_string_pretty(&openapi::document()).expect("JSON") + "\n";
    expect_file!["../../../../docs/openapi.json"].assert_eq(&text);
}

#[test]
fn every_call_is_described_with_its_fields_parameters_and_codes() {
    let document = openapi::document();
    let schemas = &document["components"]["schemas"];
    for route in ROUTES {
        let described = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(described["operationId"], route.operation);
        for name in route.query.iter().chain(route.headers) {
            assert_eq!(document["components"]["parameters"][name]["name"], *name, "{}", route.operation);
        }
        for name in route.body.iter().chain(route.answers.iter().map(|(_, name)| name)) {
            let described = ["", "EventStream", "File"].contains(name) || schemas[name].is_object();
            assert!(described, "{}: there is no schema {name:?}", route.operation);
        }
        if let Some(body) = route.body {
            assert!(openapi::properties(body).next().is_some(), "{body}");
        }
        for code in route.codes {
            let told = described["responses"].as_object().expect("responses").values();
            let mut codes = told.filter_map(|response| response["x-error-codes"].as_array()).flatten();
            assert!(codes.any(|told| told == code), "{}: {code} has no status", route.operation);
        }
    }
    let operations = document["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object());
    assert_eq!(operations.flatten().count(), ROUTES.len() + 4, "something is described that is not served");
}

#[test]
fn every_code_is_told_once_and_has_a_page() {
    let listed: Vec<&str> = STATUSES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    for code in &listed {
        assert!(ROUTES.iter().any(|route| route.codes.contains(code)), "{code} belongs to no call");
        assert!(!CODES.iter().any(|(_, codes)| codes.contains(code)), "{code} is told twice");
    }
    for code in openapi::codes() {
        assert!(errors_folder().join(format!("{code}.md")).is_file(), "{code} has no page");
    }
}

#[test]
fn examples_keep_to_their_schemas() {
    let document = openapi::document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut checked = 0;
    for (name, described) in schemas {
        for example in described["examples"].as_array().into_iter().flatten() {
            check(&document, name, example);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
    let refused = jsonschema::draft202012::new(&schema(&document, "Submit")).expect("a schema");
    assert!(!refused.is_valid(&json!({ "inptu": {} })), "schemas that take everything prove nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_to_their_schemas() {
    let rig = Rig::new().await;
    let served = rig.get("/openapi.json").await.json().await;
    assert_eq!(served, openapi::document());
    let check = |name: &str, value: &Value| check(&served, name, value);
    check("Applied", &rig.post("/v1/graphs", json!({ "source": ASKS })).await.json().await);
    check("Graphs", &rig.get("/v1/graphs").await.json().await);
    check("Submitted", &rig.post("/v1/runs", json!({ "graph": "asks" })).await.json().await);
    let run = rig.asking().await;
    check("Run", &rig.get(&format!("/v1/runs/{run}")).await.json().await);
    check("RunPage", &rig.get("/v1/runs?limit=1").await.json().await);
    check("Questions", &rig.get("/v1/questions").await.json().await);
    check("Readiness", &rig.get("/readyz").await.json().await);
    check("Alive", &rig.get("/healthz").await.json().await);
    check("Error", &rig.post("/v1/graphs", json!({ "source": "baton: 1" })).await.json().await);
    let answer = json!({ "question": "a", "decision": { "x": "y" } });
    check("Answered", &rig.post(&format!("/v1/runs/{run}/answer"), answer).await.json().await);
    for message in rig.watch(&run, "", "").await.messages().await {
        check(if message.event == "ended" { "Run" } else { "Event" }, &message.data);
    }
    check("Cancelled", &rig.call("POST", &format!("/v1/runs/{run}/cancel"), None).await.json().await);
}
