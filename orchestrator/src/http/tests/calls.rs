//! What callers may expect of each call.

use serde_json::json;

use super::client::send;
use super::rig::{ASKS, Rig};
use crate::auth::Scope;
use crate::http::dispatch::BODY_BYTES_MAX;

const NOBODY: &str = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_submitted_listed_asked_about_answered_and_shown() {
    let rig = Rig::new().await;
    let applied = rig.post("/v1/graphs", json!({ "source": ASKS })).await.json().await;
    assert_eq!((&applied["graph"], &applied["changed"]), (&"asks".into(), &true.into()));
    assert_eq!(rig.get("/v1/graphs").await.json().await["graphs"][0]["version"], applied["version"]);

    let request = json!({ "graph": "asks", "request_id": "r", "thread": "t-1" });
    let first = rig.post("/v1/runs", request.clone()).await;
    assert_eq!(first.status, 201);
    let place = first.headers.get("location").cloned().expect("a place");
    let first = first.json().await;
    assert_eq!((&first["thread"], &first["existed"]), (&"t-1".into(), &false.into()));
    let again = rig.post("/v1/runs", request).await;
    assert_eq!(again.status, 200);
    let again = again.json().await;
    assert_eq!((&again["run"], &again["existed"]), (&first["run"], &true.into()));

    let asked = loop {
        let questions = rig.get("/v1/questions").await.json().await;
        if let Some(question) = questions["questions"].get(0) {
            break question.clone();
        }
    };
    assert_eq!((&asked["run"], &asked["node"]), (&first["run"], &"a".into()));
    let decision = json!({ "question": asked["id"], "decision": { "x": "y" } });
    let answered = rig.post(&format!("{place}/answer"), decision.clone()).await.json().await;
    assert_eq!((&answered["question"], &answered["existed"]), (&asked["id"], &false.into()));
    assert_eq!(rig.post(&format!("{place}/answer"), decision).await.json().await["existed"], true);
    let run = first["run"].as_str().expect("a run");
    let last = rig.watch(run, "", "").await.messages().await.pop().expect("an end");
    assert_eq!((last.event.as_str(), &last.data["output"]["x"]), ("ended", &"y".into()));
    assert_eq!(rig.get(&place).await.json().await, last.data);

    let other = rig.asking().await;
    let page = rig.get("/v1/runs?limit=1").await.json().await;
    assert_eq!(page["runs"][0]["run"], other.as_str());
    let older = format!("/v1/runs?limit=1&page={}", page["next_page"].as_str().expect("a page"));
    assert_eq!(rig.get(&older).await.json().await["runs"][0]["run"], first["run"]);
    let waiting = rig.get("/v1/runs?status=waiting").await.json().await;
    assert_eq!(waiting["runs"].as_array().map(Vec::len), Some(1));
    let path = format!("/v1/runs/{other}/cancel");
    assert_eq!(rig.call("POST", &path, None).await.json().await, json!({ "run": other, "existed": false }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_names_a_submit_too() {
    let rig = Rig::new().await;
    let head = "POST /v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nIdempotency-Key: k-1\r\n";
    let body = json!({ "source": ASKS }).to_string();
    let first = send(rig.http, head, body.as_bytes()).await.json().await;
    let again = send(rig.http, head, body.as_bytes()).await.json().await;
    assert_eq!((&again["run"], &again["existed"]), (&first["run"], &true.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_read_is_refused_with_a_cure() {
    let rig = Rig::new().await;
    let refused = rig.post("/v1/runs", json!({ "graph": "asks", "inptu": {} })).await;
    assert_eq!(refused.status, 400);
    let error = &refused.json().await["error"];
    assert_eq!((&error["code"], &error["cure"]), (&"malformed_request".into(), &"did you mean input?".into()));
    let error = &rig.get("/v1/runs?stauts=failed").await.json().await["error"];
    assert_eq!(error["cure"], "did you mean status?");
    let error = &rig.get("/v1/runs?status=faild").await.json().await["error"];
    assert_eq!(error["cure"], "did you mean failed?");
    let error = &rig.call("POST", &format!("/v1/runs/{NOBODY}/cancel"), Some(json!({ "a": 1 }))).await.json().await;
    assert_eq!(error["error"]["cure"], "leave it out: nothing is taken here");

    let raw = async |head: &str, body: &str| {
        let reply = send(rig.http, head, body.as_bytes()).await;
        (reply.status, reply.json().await["error"]["code"].as_str().expect("a code").to_owned())
    };
    let json = "Content-Type: application/json\r\n";
    let submit = format!("POST /v1/runs HTTP/1.1\r\n{json}");
    for broken in ["{", "[]", "7", "{\"graph\": 7}", "{}"] {
        assert_eq!(raw(&submit, broken).await, (400, "malformed_request".into()), "{broken}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(raw(&submit, &deep).await, (400, "malformed_request".into()));
    let form = "POST /v1/runs HTTP/1.1\r\nContent-Type: text/plain\r\n";
    assert_eq!(raw(form, "{}").await, (415, "not_json".into()));
    assert_eq!(raw("GET /v2/runs HTTP/1.1\r\n", "").await, (404, "no_such_path".into()));
    assert_eq!(raw("DELETE /v1/runs HTTP/1.1\r\n", "").await, (405, "method_not_allowed".into()));
    let large = " ".repeat(BODY_BYTES_MAX + 1);
    assert_eq!(raw(&submit, &large).await, (413, "request_too_large".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graphs_problems_stand_in_the_error() {
    let rig = Rig::new().await;
    let broken = rig.post("/v1/graphs", json!({ "source": ASKS.replace("ask:", "aks:"), "name": "a.yaml" })).await;
    assert_eq!(broken.status, 400);
    let error = &broken.json().await["error"];
    assert_eq!(error["code"], "invalid_graph");
    let problem = &error["problems"][0];
    assert_eq!((&problem["line"], &problem["file"]), (&7.into(), &"a.yaml".into()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_scopes_and_tenants_hold() {
    let rig = Rig::with_key(Some("operator")).await;
    let run = rig.asking().await;
    let path = format!("/v1/runs/{run}");
    let reader = rig.make_key("local", &[Scope::Read]).await;
    let stranger = rig.make_key("other", &Scope::ALL).await;
    let as_whom = async |key: Option<&str>, method: &str, path: &str, body| {
        let reply = rig.call_as(key, method, path, body).await;
        let (status, challenge) = (reply.status, reply.headers.contains_key("www-authenticate"));
        let code = reply.json().await["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(challenge, status == 401);
        (status, code)
    };
    assert_eq!(as_whom(None, "GET", &path, None).await, (401, "api_key_missing".into()));
    assert_eq!(as_whom(Some("guess"), "GET", &path, None).await, (401, "api_key_unknown".into()));
    assert_eq!(as_whom(Some(&reader), "GET", &path, None).await, (200, String::new()));
    let cancel = format!("{path}/cancel");
    assert_eq!(as_whom(Some(&reader), "POST", &cancel, None).await, (403, "scope_missing".into()));
    assert_eq!(as_whom(Some(&stranger), "POST", &cancel, None).await, (404, "run_not_found".into()));
    for path in [path.clone(), format!("{path}/events")] {
        assert_eq!(as_whom(Some(&stranger), "GET", &path, None).await, (404, "run_not_found".into()));
    }
    let listed = rig.call_as(Some(&stranger), "GET", "/v1/runs", None).await.json().await;
    assert_eq!(listed["runs"], json!([]));
    for path in ["/healthz", "/readyz", "/openapi.json", "/metrics"] {
        assert_ne!(rig.call_as(None, "GET", path, None).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_from_elsewhere_reaches_nothing_on_a_server_without_keys() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let head = format!("POST /v1/runs/{run}/cancel HTTP/1.1\r\nOrigin: https://elsewhere.example\r\n");
    let reply = send(rig.http, &head, b"").await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json().await["error"]["code"], "foreign_origin");
    assert_eq!(rig.get(&format!("/v1/runs/{run}")).await.json().await["status"], "waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_token_of_an_attempt_resumes_it() {
    let rig = Rig::new().await;
    let outcome = json!({ "ok": { "paid": true } });
    let resume = json!({
        "job": format!("{NOBODY}/0/a#1/0"), "fence": 1, "token": "made up", "digest": "0".repeat(32), "outcome": outcome,
    });
    let reply = rig.post("/v1/resume", resume.clone()).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json().await["error"]["code"], "control_refused");
    for (name, value) in [("outcome", json!({})), ("digest", json!("x")), ("fence", json!("one")), ("job", json!("x"))]
    {
        let mut broken = resume.clone();
        broken[name] = value;
        let reply = rig.post("/v1/resume", broken).await;
        assert_eq!(reply.status, 400, "{name}");
        assert!(reply.json().await["error"]["cause"].as_str().is_some_and(|cause| cause.starts_with(name)), "{name}");
    }
}
