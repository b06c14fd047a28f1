//! Crashes: whatever a process leaves behind goes on in the next one.

use std::path::Path;
use std::sync::Arc;

use baton_common::settings::Timings;
use baton_orchestrator::wiring;
use serde_json::{Value, json};

use crate::rig::{claimed, end, options, start, submit, until};

const LEDGER: &str = r#"
baton: 1
graph: ledger
output: { done: "true" }
start: first
nodes:
  first:
    tool: { name: debug.ledger, args: { file: ledger.jsonl, effect: idempotent, ms: 10 } }
    then: second
  second:
    tool: { name: debug.ledger, args: { file: ledger.jsonl, effect: idempotent, ms: 400 } }
    then: third
  third:
    tool: { name: debug.ledger, args: { file: ledger.jsonl, effect: idempotent, ms: 10 } }
    then: end
"#;

fn ends(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("debug/ledger.jsonl")).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["phase"] == "end").map(|line| line["key"].to_string()).collect()
}

#[tokio::test]
async fn a_second_process_takes_over_where_the_first_died() {
    let folder = tempfile::tempdir().unwrap();
    let store = wiring::store("memory:", &Timings::default().scaled(20)).await.unwrap();
    let shared = || baton_embedded::Options { store: Some(Arc::clone(&store)), ..options(Some(folder.path())) };
    let first = start(shared()).await;
    let run = submit(&first, LEDGER, json!({})).await;
    until(&first, run, |view| view.superstep >= 2 && claimed(view)).await;
    drop(first);
    let second = start(shared()).await;
    assert_eq!(end(&second, run).await.0.output, Some(json!({"done": true})));
    let mut keys = ends(folder.path());
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), ends(folder.path()).len()), (3, 3), "each key ended once");
    second.stop().await;
}

#[tokio::test]
async fn a_folder_keeps_a_run_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(options(Some(folder.path()))).await;
    let run = submit(&first, LEDGER, json!({})).await;
    until(&first, run, |view| view.superstep >= 2 && claimed(view)).await;
    first.stop().await;
    let second = start(options(Some(folder.path()))).await;
    assert_eq!(submit(&second, LEDGER, json!({})).await, run, "the same request finds the same run");
    assert_eq!(end(&second, run).await.0.output, Some(json!({"done": true})));
    assert_eq!(ends(folder.path()).len(), 3);
    second.stop().await;
}
