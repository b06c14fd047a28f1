//! Documents that attack their reader fail alone: the error names what happened, the
//! neighbours are read, and no process is left.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use baton_common::ErrorClass;
use baton_tools::testing;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{documents, extract, run};

/// The processes whose standard input is that document.
fn readers(document: &Path) -> Vec<i32> {
    let document = document.canonicalize().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|found| found == document)).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_document_fails_alone() {
    let root = tempfile::tempdir().unwrap();
    let cases = [
        ("abort", "document_crashed"),
        ("exit", "document_crashed"),
        ("panic", "document_damaged"),
        ("overflow", "document_crashed"),
        ("compute", "document_timeout"),
        ("wait", "document_timeout"),
        ("take_at_once", "document_too_large"),
        ("take_slowly", "document_too_large"),
        ("flood", "document_too_large"),
        ("start_another", "document_timeout"),
    ];
    let mut config = documents(root.path());
    config.documents.time_ms_max = 5000;
    config.documents.cpu_seconds_max = 2;
    config.documents.memory_bytes_max = 512 * 1024 * 1024;
    config.documents.text_bytes_max = 1024 * 1024;
    for (what, _) in cases {
        fs::write(root.path().join(format!("{what}.pdf")), format!("%BATON-DRILL {what}\n")).unwrap();
        fs::write(root.path().join(format!("{what}.txt")), format!("the neighbour of {what}")).unwrap();
    }
    let attacks = join_all(cases.iter().map(async |(what, code)| {
        let failure = extract(&config, &format!("{what}.pdf")).await.unwrap_err();
        assert_eq!(failure.code, *code, "{what}: {failure}");
        assert!(failure.message.contains(what), "{failure}");
        assert!(!failure.class.retryable(), "{what}");
    }));
    let neighbours = join_all(cases.iter().map(async |(what, _)| {
        let (_, pages) = extract(&config, &format!("{what}.txt")).await.unwrap();
        assert_eq!(pages, [format!("the neighbour of {what}")]);
    }));
    tokio::join!(attacks, neighbours);
    for (what, _) in cases {
        let document = root.path().join(format!("{what}.pdf"));
        until(&format!("the end of {what}"), || readers(&document).is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_reading_leaves_no_process() {
    let root = tempfile::tempdir().unwrap();
    let document = root.path().join("wait.pdf");
    fs::write(&document, "%BATON-DRILL start_another\n").unwrap();
    let (config, call) = (documents(root.path()), testing::call());
    let stop = async {
        // The child and what it started.
        until("two processes", || readers(&document).len() == 2).await;
        call.cancel.cancel();
    };
    let (result, ()) = tokio::join!(run(&config, "doc.extract", json!({ "path": "wait.pdf" }), &call), stop);
    assert_eq!(result.unwrap_err().class, ErrorClass::Cancelled);
    until("their end", || readers(&document).is_empty()).await;
}

#[tokio::test]
async fn an_attempt_past_its_time_leaves_no_process() {
    let root = tempfile::tempdir().unwrap();
    let document = root.path().join("wait.pdf");
    fs::write(&document, "%BATON-DRILL wait\n").unwrap();
    let (config, mut call) = (documents(root.path()), testing::call());
    call.deadline = Instant::now() + Duration::from_millis(300);
    let result = run(&config, "doc.extract", json!({ "path": "wait.pdf" }), &call).await;
    assert_eq!(result.unwrap_err().class, ErrorClass::Timeout);
    until("its end", || readers(&document).is_empty()).await;
}

#[tokio::test]
async fn a_reader_sees_no_environment_and_writes_no_file() {
    let root = tempfile::tempdir().unwrap();
    for what in ["environment", "write_a_file"] {
        fs::write(root.path().join(format!("{what}.md")), format!("%BATON-DRILL {what}\n")).unwrap();
    }
    let config = documents(root.path());
    assert!(std::env::vars().count() > 1);
    let told = &extract(&config, "environment.md").await.unwrap().1;
    assert_eq!(told, &[r#"[("MIMALLOC_ARENA_RESERVE", "0"), ("RAYON_NUM_THREADS", "1")]"#]);
    let crashed = extract(&config, "write_a_file.md").await.unwrap_err();
    assert_eq!(crashed.code, "document_crashed", "{crashed}");
}

#[tokio::test]
async fn drills_are_plain_text_unless_switched_on() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.txt"), "%BATON-DRILL abort\n").unwrap();
    let mut config = documents(root.path());
    config.debug_tools = false;
    assert_eq!(extract(&config, "a.txt").await.unwrap().1, ["%BATON-DRILL abort"]);
}
