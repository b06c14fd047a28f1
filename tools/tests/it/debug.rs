//! The debug tools do what tests of the planes rely on.

use std::time::{Duration, Instant};

use baton_common::ErrorClass;
use baton_tools::{Config, testing};
use serde_json::{Value, json};

use crate::support::run;

fn config(folder: &std::path::Path) -> Config {
    Config { debug_tools: true, debug_dir: Some(folder.to_owned()), ..Config::default() }
}

fn lines(folder: &std::path::Path, phase: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("l")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["phase"] == phase).collect()
}

#[tokio::test]
async fn the_ledger_shows_every_start_and_one_end_per_key_of_an_idempotent_job() {
    let folder = tempfile::tempdir().unwrap();
    let (config, call) = (config(folder.path()), testing::call());
    for (effect, ends) in [("idempotent", 1), ("idempotent", 1), ("pure", 2)] {
        let args = json!({ "file": "l", "effect": effect, "ms": 1 });
        run(&config, "debug.ledger", args, &call).await.unwrap();
        assert_eq!(lines(folder.path(), "end").len(), ends);
    }
    assert_eq!(lines(folder.path(), "start").len(), 3);
    assert_eq!(lines(folder.path(), "end")[0]["key"], call.idempotency_key.to_string());
    assert_eq!(lines(folder.path(), "end")[0]["pid"], std::process::id());
}

#[tokio::test]
async fn the_ledger_writes_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (config, call) = (config(&folder.path().join("in")), testing::call());
    for file in ["../out", "a/b", "..", ".hidden", ""] {
        let args = json!({ "file": file, "effect": "pure" });
        assert_eq!(run(&config, "debug.ledger", args, &call).await.unwrap_err().code, "bad_arguments");
    }
    let nowhere = Config { debug_dir: None, ..config };
    let failure = run(&nowhere, "debug.ledger", json!({ "file": "l", "effect": "pure" }), &call).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Refused, "debug_dir_missing"));
}

#[tokio::test]
async fn fail_fails_as_often_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let (config, mut call) = (config(folder.path()), testing::call());
    let args = json!({ "class": "rate_limited", "code": "busy", "message": "later", "times": 1, "retry_after_ms": 7 });
    let failure = run(&config, "debug.fail", args.clone(), &call).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.code.as_str(), failure.retry_after_ms),
        (ErrorClass::RateLimited, "busy", Some(7))
    );
    call.attempt = 2;
    assert_eq!(run(&config, "debug.fail", args, &call).await.unwrap(), json!({ "attempt": 2 }));
}

#[tokio::test]
async fn a_cancelled_attempt_stops_sleeping_and_spinning() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    for name in ["debug.sleep", "debug.spin"] {
        let call = testing::call();
        let begun = Instant::now();
        let (args, cancel) = (json!({ "ms": 60_000 }), call.cancel.clone());
        let (result, ()) = tokio::join!(run(&config, name, args, &call), async { cancel.cancel() });
        assert_eq!(result.unwrap_err().class, ErrorClass::Cancelled);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test]
async fn sleep_and_echo_give_back_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let (config, call) = (config(folder.path()), testing::call());
    assert_eq!(run(&config, "debug.sleep", json!({ "ms": 1, "value": [1] }), &call).await.unwrap(), json!([1]));
    assert_eq!(run(&config, "debug.echo", json!({ "a": null }), &call).await.unwrap(), json!({ "a": null }));
    assert_eq!(run(&config, "debug.spin", json!({ "ms": 1 }), &call).await.unwrap(), json!({ "ms": 1 }));
}
