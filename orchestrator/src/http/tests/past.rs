//! A run's past over HTTP: looked at, gone on from, and what operators look at beside it.

use baton_blobs::Key;
use baton_common::{BlobRef, Digest, TenantId};
use baton_proto::v1;
use bytes::Bytes;
use serde_json::{Value, json};
use v1::graphs_client::GraphsClient;
use v1::history_client::HistoryClient;
use v1::operate_client::OperateClient;

use super::document::check;
use super::parity::{Both, NOBODY};
use super::rig::{ASKS, Rig};
use crate::http::openapi;

/// Writes, asks, and ends with both.
const DRAFT: &str = "baton: 1\ngraph: draft\noutput: { text: state.text, x: state.x }\nstate: { text: string, x: string }\nstart: write\nnodes:\n  write: { save: { text: \"'first'\" }, then: a }\n  a: { ask: { title: hi, fields: { x: string } }, save: { x: output.x }, then: end }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_runs_past_is_shown_compared_edited_and_forked() {
    let (rig, document) = (Rig::new().await, openapi::document());
    let (run, head) = drafting(&rig, false).await;
    let page = rig.get(&format!("/v1/runs/{run}/checkpoints")).await.json().await;
    check(&document, "CheckpointPage", &page);
    assert_eq!((&page["checkpoints"][0]["seq"], &page["checkpoints"][0]["open"]), (&head.into(), &json!(["a#1"])));
    let first = rig.get(&format!("/v1/runs/{run}/checkpoints?limit=1")).await.json().await;
    assert_eq!(first["checkpoints"][0], page["checkpoints"][0]);

    let edit = json!({ "expected": head, "set": { "text": "second" } });
    let edited = rig.post(&format!("/v1/runs/{run}/edit"), edit.clone()).await.json().await;
    check(&document, "Edited", &edited);
    assert_eq!(edited, json!({ "checkpoint": head + 1, "existed": false }));
    assert_eq!(rig.post(&format!("/v1/runs/{run}/edit"), edit).await.json().await["existed"], true);
    let now = rig.get(&format!("/v1/runs/{run}/state")).await.json().await;
    check(&document, "State", &now);
    assert_eq!((&now["at"], &now["values"]["text"]), (&(head + 1).into(), &"second".into()));
    let then = rig.get(&format!("/v1/runs/{run}/state?at={head}")).await.json().await;
    assert_eq!(then["values"]["text"], "first");
    let diff = rig.get(&format!("/v1/runs/{run}/diff?from={head}")).await.json().await;
    check(&document, "Diff", &diff);
    let change = json!({ "channel": "text", "before": "first", "after": "second", "kept": null });
    assert_eq!(diff, json!({ "from": head, "to": head + 1, "changes": [change] }));

    let fork = json!({ "from": head, "set": { "text": "third" }, "request_id": "f" });
    let made = rig.post(&format!("/v1/runs/{run}/fork"), fork.clone()).await;
    assert_eq!((made.status, made.headers.contains_key("location")), (201, true));
    let made = made.json().await;
    check(&document, "Forked", &made);
    let again = rig.post(&format!("/v1/runs/{run}/fork"), fork).await;
    assert_eq!((again.status, again.json().await["run"].clone()), (200, made["run"].clone()));
    let forked = made["run"].as_str().expect("a run");
    rig.until(forked, "waiting").await;
    rig.answer(forked).await;
    rig.until(forked, "succeeded").await;
    let ended = rig.get(&format!("/v1/runs/{forked}")).await.json().await;
    assert_eq!(ended["output"], json!({ "text": "third", "x": "y" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_taken_up_again_and_computed_again() {
    let (rig, document) = (Rig::new().await, openapi::document());
    let (run, _) = drafting(&rig, true).await;
    rig.call("POST", &format!("/v1/runs/{run}/cancel"), None).await;
    rig.until(&run, "cancelled").await;
    let retried = rig.call("POST", &format!("/v1/runs/{run}/retry"), None).await.json().await;
    check(&document, "Retried", &retried);
    assert_eq!(retried, json!({ "run": run, "generation": 1, "existed": false }));
    rig.until(&run, "waiting").await;
    rig.answer(&run).await;
    rig.until(&run, "succeeded").await;
    let replay = rig.call("POST", &format!("/v1/runs/{run}/replay"), None).await.json().await;
    check(&document, "Replay", &replay);
    assert_eq!(replay["difference"], Value::Null, "{replay}");
    assert!(replay["checkpoints"].as_u64() >= Some(2), "{replay}");
    let audit = rig.get(&format!("/v1/audit?run={run}")).await.json().await;
    check(&document, "Audit", &audit);
    let what: Vec<&str> = audit["entries"].as_array().expect("entries").iter().filter_map(operation).collect();
    assert!(what.contains(&"retry") && what.contains(&"cancel"), "{audit}");
    let unparked = rig.call("POST", &format!("/v1/runs/{run}/unpark"), None).await.json().await;
    check(&document, "Unparked", &unparked);
    assert_eq!(unparked["unparked"], false);
}

fn operation(entry: &Value) -> Option<&str> {
    entry["operation"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_run_are_listed_and_brought() {
    let (rig, document) = (Rig::new().await, openapi::document());
    let run = rig.asking().await;
    let text = "<script>alert(1)</script>";
    let blob = BlobRef {
        key: format!("runs/{run}/files/notes/a.md"),
        bytes: text.len() as u64,
        digest: Digest::of(text.as_bytes()),
        media_type: "text/markdown".to_owned(),
    };
    let about = serde_json::to_vec(&blob).expect("JSON");
    for (key, bytes) in
        [(blob.key.clone(), Bytes::from(text)), (format!("runs/{run}/about/notes/a.md"), Bytes::from(about))]
    {
        let key = Key::parse(&key).expect("a key");
        rig.services.orchestrator.blobs().put(&TenantId::local(), &key, bytes).await.expect("kept");
    }
    let listed = rig.get(&format!("/v1/runs/{run}/artifacts")).await.json().await;
    check(&document, "Artifacts", &listed);
    assert_eq!(listed["artifacts"][0]["path"], "notes/a.md");
    let brought = rig.get(&format!("/v1/runs/{run}/artifact?path=notes/a.md")).await;
    let header = |name: &str| brought.headers.get(name).cloned().unwrap_or_default();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(
        (header("content-disposition"), header("x-content-type-options")),
        ("attachment".into(), "nosniff".into())
    );
    assert_eq!(brought.text().await, text);
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_are_shown_validated_and_migrated() {
    let (rig, document) = (Rig::new().await, openapi::document());
    let applied = rig.post("/v1/graphs", json!({ "source": ASKS })).await.json().await;
    let shown = rig.get("/v1/graphs/asks").await.json().await;
    check(&document, "GraphSource", &shown);
    assert_eq!(shown["version"], applied["version"]);
    let valid = rig.post("/v1/validate", json!({ "source": ASKS })).await.json().await;
    check(&document, "Validated", &valid);
    assert_eq!(valid["version"], applied["version"]);
    let wrong = rig.post("/v1/validate", json!({ "source": ASKS.replace("ask:", "aks:") })).await.json().await;
    check(&document, "Validated", &wrong);
    assert_eq!((&wrong["graph"], &wrong["problems"][0]["line"]), (&Value::Null, &7.into()));

    let submitted = rig.post("/v1/runs", json!({ "graph": "asks" })).await.json().await;
    let run = submitted["run"].as_str().expect("a run");
    rig.until(run, "waiting").await;
    let newer = ASKS.replace("output: { x: state.x }", "output: { y: state.x }");
    let newer = rig.post("/v1/graphs", json!({ "source": newer })).await.json().await;
    let looked = rig.post("/v1/graphs/asks/migrate", json!({ "dry_run": true })).await.json().await;
    check(&document, "Migration", &looked);
    assert_eq!((&looked["to"], &looked["runs"][0]["result"]), (&newer["version"], &"fits".into()));
    let moved = rig.post("/v1/graphs/asks/migrate", json!({})).await.json().await;
    assert_eq!((&moved["runs"][0]["run"], &moved["runs"][0]["result"]), (&run.into(), &"migrated".into()));
    rig.answer(run).await;
    rig.until(run, "succeeded").await;
    assert_eq!(rig.get(&format!("/v1/runs/{run}")).await.json().await["output"], json!({ "y": "y" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_queues_are_shown() {
    let (rig, document) = (Rig::new().await, openapi::document());
    check(&document, "Workers", &rig.get("/v1/workers").await.json().await);
    let queues = rig.get("/v1/queues").await.json().await;
    check(&document, "Queues", &queues);
    assert!(queues["queues"].as_array().is_some_and(|queues| !queues.is_empty()), "{queues}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_with_the_past_is_told_the_same() {
    let rig = Rig::new().await;
    let (run, head) = drafting(&rig, false).await;
    let both = Both { rig: &rig, key: None };
    let mut history = HistoryClient::new(rig.carrier(None));
    let path = |run: &str, rest: &str| format!("/v1/runs/{run}/{rest}");
    for (run, code) in [(NOBODY, "run_not_found"), ("no-run", "malformed_request")] {
        let id = || run.to_owned();
        let list = v1::ListCheckpointsRequest { run_id: id(), ..Default::default() };
        both.same(history.list_checkpoints(list).await, ("GET", &path(run, "checkpoints"), None), code).await;
        let retry = v1::RetryRequest { run_id: id(), from: 0 };
        both.same(history.retry(retry).await, ("POST", &path(run, "retry"), Some(json!({}))), code).await;
        let files = v1::ArtifactsRequest { run_id: id() };
        let files = OperateClient::new(rig.carrier(None)).artifacts(files).await;
        both.same(files, ("GET", &path(run, "artifacts"), None), code).await;
    }
    let state = v1::GetStateRequest { run_id: run.clone(), at: 900 };
    let told = ("GET", &*path(&run, "state?at=900"), None);
    both.same(history.get_state(state).await, told, "checkpoint_not_found").await;
    for (expected, set, code) in [
        (head, json!({ "nothing": 1 }), "unknown_channel"),
        (head, json!({ "text": 1 }), "type_mismatch"),
        (head, json!({ "text": "x".repeat(300_000) }), "set_too_large"),
        (900, json!({}), "checkpoint_not_found"),
    ] {
        let edit = v1::EditRequest { run_id: run.clone(), expected, set_json: set.to_string() };
        let body = json!({ "expected": expected, "set": set });
        both.same(history.edit(edit).await, ("POST", &path(&run, "edit"), Some(body)), code).await;
    }
    let retry = v1::RetryRequest { run_id: run.clone(), from: 0 };
    both.same(history.retry(retry).await, ("POST", &path(&run, "retry"), None), "not_retryable").await;
    let replay = v1::ReplayRequest { run_id: run.clone() };
    both.same(history.replay(replay).await, ("POST", &path(&run, "replay"), None), "run_not_ended").await;
    let migrate = v1::MigrateGraphRequest { graph: "nothing".to_owned(), ..Default::default() };
    let told = ("POST", "/v1/graphs/nothing/migrate", Some(json!({})));
    both.same(GraphsClient::new(rig.carrier(None)).migrate(migrate).await, told, "graph_not_found").await;
}

/// A run that has written and asks, and its last checkpoint.
async fn drafting(rig: &Rig, record: bool) -> (String, u64) {
    let submitted = rig.post("/v1/runs", json!({ "source": DRAFT, "record": record })).await.json().await;
    let run = submitted["run"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned();
    rig.until(&run, "waiting").await;
    let head = rig.get(&format!("/v1/runs/{run}")).await.json().await["head"].as_u64().expect("a head");
    (run, head)
}
