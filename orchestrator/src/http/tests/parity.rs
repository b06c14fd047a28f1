//! The same mistake gives the same error over both wires.

use baton_proto::{detail, v1};
use serde_json::{Value, json};
use tonic::Status;
use v1::control_plane_client::ControlPlaneClient;
use v1::graphs_client::GraphsClient;
use v1::runs_client::RunsClient;

use super::rig::{ASKS, Rig};
use crate::auth::Scope;

pub(super) const NOBODY: &str = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11";

/// What a status says over HTTP.
fn status_of(status: &Status) -> u16 {
    match status.code() {
        tonic::Code::InvalidArgument => 400,
        tonic::Code::Unauthenticated => 401,
        tonic::Code::PermissionDenied => 403,
        tonic::Code::NotFound => 404,
        tonic::Code::FailedPrecondition => 409,
        tonic::Code::ResourceExhausted => 429,
        tonic::Code::Unavailable => 503,
        other => panic!("{other}: {status}"),
    }
}

pub(super) struct Both<'r> {
    pub(super) rig: &'r Rig,
    pub(super) key: Option<String>,
}

impl Both<'_> {
    fn runs(&self) -> RunsClient<baton_control::grpc::Carrier> {
        RunsClient::new(self.rig.carrier(self.key.as_deref()))
    }

    /// Both errors, which must be one.
    pub(super) async fn same<T>(&self, grpc: Result<T, Status>, http: (&str, &str, Option<Value>), code: &str) {
        let status = grpc.err().unwrap_or_else(|| panic!("gRPC took {http:?}"));
        let told = detail::of_status(&status).expect("a detail");
        let (method, path, body) = http;
        let reply = self.rig.call_as(self.key.as_deref(), method, path, body.clone()).await;
        let found = reply.status;
        let value = reply.json().await;
        let error = &value["error"];
        assert_eq!(
            (told.code.as_str(), error["code"].as_str()),
            (code, Some(code)),
            "{http_of:?}",
            http_of = (path, &body)
        );
        assert_eq!(found, status_of(&status), "{path} {code}");
        if code != "malformed_request" {
            assert_eq!(told.cause, error["cause"], "{path}");
            assert_eq!(told.cure, error["cure"], "{path}");
        }
    }

    /// Every call, made in the name of this key for that run, is refused with this code.
    async fn every_call(&self, run: &str, code: &str) {
        let id = || run.to_owned();
        let path = |rest: &str| format!("/v1/runs/{run}{rest}");
        let submit = v1::SubmitRequest { source: ASKS.to_owned(), ..Default::default() };
        let get = self.runs().get(v1::GetRunRequest { run_id: id() }).await;
        self.same(get, ("GET", &path(""), None), code).await;
        let watch = self.runs().watch(v1::WatchRequest { run_id: id(), after: 0, state: false }).await;
        self.same(watch, ("GET", &path("/events"), None), code).await;
        let cancel = self.runs().cancel(v1::CancelRequest { run_id: id() }).await;
        self.same(cancel, ("POST", &path("/cancel"), None), code).await;
        let answer =
            v1::AnswerRequest { run_id: id(), question: "a".to_owned(), decision_json: r#"{"x":"y"}"#.to_owned() };
        let body = json!({ "question": "a", "decision": { "x": "y" } });
        self.same(self.runs().answer(answer).await, ("POST", &path("/answer"), Some(body)), code).await;
        if !matches!(code, "run_not_found" | "malformed_request") {
            let list = self.runs().list(v1::ListRunsRequest::default()).await;
            self.same(list, ("GET", "/v1/runs", None), code).await;
            let inbox = self.runs().list_interrupts(v1::ListInterruptsRequest::default()).await;
            self.same(inbox, ("GET", "/v1/questions", None), code).await;
            let body = json!({ "source": ASKS });
            self.same(self.runs().submit(submit).await, ("POST", "/v1/runs", Some(body.clone())), code).await;
            let mut graphs = GraphsClient::new(self.rig.carrier(self.key.as_deref()));
            let apply = v1::ApplyGraphRequest { source: ASKS.to_owned(), ..Default::default() };
            self.same(graphs.apply(apply).await, ("POST", "/v1/graphs", Some(body)), code).await;
            let list = graphs.list(v1::ListGraphsRequest::default()).await;
            self.same(list, ("GET", "/v1/graphs", None), code).await;
            let mut plane = ControlPlaneClient::new(self.rig.carrier(self.key.as_deref()));
            let resume = plane.resume(v1::ResumeRequest::default()).await;
            self.same(resume, ("POST", "/v1/resume", Some(json!({}))), code).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_the_same() {
    let rig = Rig::with_key(Some("operator")).await;
    let run = rig.asking().await;
    let stranger = rig.make_key("other", &Scope::ALL).await;
    Both { rig: &rig, key: None }.every_call(&run, "api_key_missing").await;
    Both { rig: &rig, key: Some("guess".to_owned()) }.every_call(&run, "api_key_unknown").await;
    Both { rig: &rig, key: Some(stranger) }.every_call(&run, "run_not_found").await;
    let operator = rig.make_key("local", &[Scope::Operate]).await;
    Both { rig: &rig, key: Some(operator) }.every_call(&run, "scope_missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_there_is_told_the_same() {
    let rig = Rig::new().await;
    let both = Both { rig: &rig, key: None };
    both.every_call(NOBODY, "run_not_found").await;
    both.every_call("no-run", "malformed_request").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_cannot_be_is_told_the_same() {
    let rig = Rig::new().await;
    let both = Both { rig: &rig, key: None };
    rig.post("/v1/graphs", json!({ "source": ASKS })).await;
    let first = json!({ "graph": "asks", "request_id": "r", "thread": "t-1" });
    assert_eq!(rig.post("/v1/runs", first).await.status, 201);
    let cases = [
        ("graph_not_found", json!({ "graph": "nothing" })),
        ("graph_not_found", json!({ "graph": format!("asks@{}", "0".repeat(32)) })),
        ("malformed_request", json!({ "graph": "asks@x" })),
        ("malformed_request", json!({})),
        ("malformed_request", json!({ "graph": "asks", "source": ASKS })),
        ("malformed_request", json!({ "graph": "asks", "thread": "\u{7}" })),
        ("invalid_input", json!({ "graph": "asks", "input": { "nobody": "asked" } })),
        ("input_too_large", json!({ "source": TAKES, "input": { "text": "x".repeat(300_000) } })),
        ("invalid_graph", json!({ "source": "baton: 1" })),
        ("unknown_tool", json!({ "source": NEEDS })),
        ("request_id_reused", json!({ "source": TAKES, "request_id": "r", "thread": "t-1", "input": { "text": "x" } })),
        ("thread_busy", json!({ "graph": "asks", "thread": "t-1" })),
    ];
    for (code, body) in cases {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let request = v1::SubmitRequest {
            graph: text("graph"),
            source: text("source"),
            thread: text("thread"),
            request_id: text("request_id"),
            input_json: body.get("input").map(Value::to_string).unwrap_or_default(),
            ..Default::default()
        };
        both.same(both.runs().submit(request).await, ("POST", "/v1/runs", Some(body)), code).await;
    }
}

/// Needs a tool that no worker has.
const NEEDS: &str = "baton: 1\ngraph: needs\nstart: a\nnodes:\n  a: { tool: { name: no.tool }, then: end }\n";

/// Takes a text and asks.
const TAKES: &str = "baton: 1\ngraph: takes\ninput: { text: string }\nstart: a\nnodes:\n  a: { ask: { title: hi, fields: { x: string } }, then: end }\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_is_told_the_same() {
    let rig = Rig::new().await;
    let both = Both { rig: &rig, key: None };
    let run = rig.asking().await;
    let path = format!("/v1/runs/{run}/answer");
    let check = async |question: &str, decision: Value, code: &str| {
        let request = v1::AnswerRequest {
            run_id: run.clone(),
            question: question.to_owned(),
            decision_json: decision.to_string(),
        };
        let body = json!({ "question": question, "decision": decision });
        both.same(both.runs().answer(request).await, ("POST", &path, Some(body)), code).await;
    };
    check("nobody", json!({}), "question_not_found").await;
    check("a", json!({ "x": 7 }), "invalid_answer").await;
    check("a", json!({ "x": "x".repeat(300_000) }), "decision_too_large").await;
    rig.answer(&run).await;
    rig.watch(&run, "", "").await.messages().await;
    check("a", json!({ "x": "otherwise" }), "answered_otherwise").await;
    let ahead = both.runs().watch(v1::WatchRequest { run_id: run.clone(), after: 900, state: false }).await;
    both.same(ahead, ("GET", &format!("/v1/runs/{run}/events?after=900"), None), "event_unknown").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_over_both_wires() {
    use v1::watch_response::Item;
    let rig = Rig::new().await;
    let run = rig.asking().await;
    rig.store.gone.store(2, std::sync::atomic::Ordering::Relaxed);
    let mut runs = RunsClient::new(rig.carrier(None));
    let mut items = runs
        .watch(v1::WatchRequest { run_id: run.clone(), after: 0, state: false })
        .await
        .expect("a watch")
        .into_inner();
    let first = items.message().await.expect("no error").and_then(|item| item.item);
    assert_eq!(first, Some(Item::Gap(v1::Gap { first: 1, last: 2 })));
    let next = items.message().await.expect("no error").and_then(|item| item.item);
    assert!(matches!(next, Some(Item::Event(event)) if event.seq == 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_cannot_be_is_told_the_same() {
    let rig = Rig::new().await;
    let both = Both { rig: &rig, key: None };
    let run = rig.asking().await;
    let check = async |run: &str, thread: &str, body: Value, code: &str| {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let request = v1::SignalRequest {
            run_id: run.to_owned(),
            thread: thread.to_owned(),
            name: text("name"),
            id: text("id"),
            value_json: body.get("value").map(Value::to_string).unwrap_or_default(),
        };
        let path = if thread.is_empty() { format!("runs/{run}") } else { format!("threads/{thread}") };
        let path = format!("/v1/{path}/signal");
        both.same(both.runs().signal(request).await, ("POST", &path, Some(body)), code).await;
    };
    check(NOBODY, "", json!({ "name": "go" }), "run_not_found").await;
    check("no-run", "", json!({ "name": "go" }), "malformed_request").await;
    check("", "nobody", json!({ "name": "go" }), "thread_not_found").await;
    check(&run, "", json!({ "name": "x".repeat(200) }), "invalid_signal").await;
    check(&run, "", json!({ "name": "go", "value": "x".repeat(300_000) }), "signal_too_large").await;
    let sent = rig.post(&format!("/v1/runs/{run}/signal"), json!({ "name": "go", "id": "s-1" })).await;
    assert_eq!(sent.json().await, json!({ "id": "s-1", "existed": false, "taken": false }));
    let again =
        v1::SignalRequest { run_id: run.clone(), name: "go".to_owned(), id: "s-1".to_owned(), ..Default::default() };
    assert!(both.runs().signal(again).await.expect("taken for the same").into_inner().existed);
}
