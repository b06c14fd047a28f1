//! What earlier programs wrote, later ones must read: one store of each landing.
//!
//! `golden/v1` is a data folder with a run that waits in the middle of a group, `golden/v2` one
//! with what the second layout added, `golden/v4` one with what the fourth did. They are never written again; a new layout adds a folder
//! beside them. `BATON_TEST_WRITE_GOLDEN=1` makes the newest.

use std::path::{Path, PathBuf};

use baton_common::ids::{RunId, Seq, TenantId, ThreadKey};
use baton_common::records::{RunStatus, TaskState};
use baton_store::suite::{differential, golden};
use baton_store::{Reader, Registry, SqliteOptions, SqliteStore, Store};

fn folder(landing: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(landing)
}

/// A copy of a landing's store, opened.
fn copy(landing: &str) -> (tempfile::TempDir, SqliteStore) {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder(landing).join("baton.sqlite"), copy.path().join("baton.sqlite")).unwrap();
    let store = open(copy.path());
    (copy, store)
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&SqliteOptions { folder: folder.to_owned(), timings: differential::timings() }).unwrap()
}

#[tokio::test]
async fn a_store_of_the_first_landing_is_read() {
    let (_folder, store) = copy("v1");
    let run: RunId = golden::RUN.parse().unwrap();
    let detail = store.detail(run).await.unwrap().unwrap();
    assert_eq!(detail.run.state.status, RunStatus::Running);
    assert_eq!(detail.run.state.head, Seq(1));
    let states: Vec<&str> = detail.groups.iter().flat_map(|(_, tasks)| tasks).map(|task| name(task.state)).collect();
    assert_eq!(states, ["done", "claimed", "held", "parked"]);
    let at_work: Vec<u32> = detail.groups.iter().map(|(group, _)| group.state.at_work).collect();
    assert_eq!(at_work, [1, 0], "the claimed are counted when the layout is brought up");
    assert_eq!(detail.interrupts.len(), 1);
    let loaded = store.load(run).await.unwrap().unwrap();
    let checkpoint = store.checkpoint(&loaded.thread.key, Seq(1)).await.unwrap().unwrap();
    assert!(checkpoint.full && !checkpoint.writes.is_empty());
    assert_eq!(store.events(run, 0, 100).await.unwrap().len(), usize::try_from(detail.run.state.events).unwrap());
    assert!(!store.cluster().await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_store_of_the_second_landing_goes_on() {
    if std::env::var_os("BATON_TEST_WRITE_GOLDEN").is_some() {
        let store = open(&folder("v2"));
        golden::fill_second(&store).await;
        store.close().await;
    }
    let (_folder, store) = copy("v2");
    let thread = ThreadKey { tenant: TenantId::local(), thread: golden::THREAD.parse().unwrap() };
    let kept = store.signals(&thread).await.unwrap();
    assert_eq!(kept.iter().map(|signal| signal.taken.is_some()).collect::<Vec<_>>(), [true, false]);
    golden::go_on(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_store_that_knows_who_holds_what_goes_on() {
    if std::env::var_os("BATON_TEST_WRITE_GOLDEN").is_some() {
        let store = open(&folder("v4"));
        golden::fill_held(&store).await;
        store.close().await;
    }
    let (_folder, store) = copy("v4");
    golden::let_go(&store).await;
    store.close().await;
}

fn name(state: TaskState) -> &'static str {
    match state {
        TaskState::Held => "held",
        TaskState::Publishable { .. } => "publishable",
        TaskState::Dispatched { .. } => "dispatched",
        TaskState::Claimed { .. } => "claimed",
        TaskState::Parked => "parked",
        TaskState::OutcomeUnknown => "outcome_unknown",
        TaskState::Done => "done",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}
