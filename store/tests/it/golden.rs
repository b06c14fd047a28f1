//! What earlier programs wrote, later ones must read: one store of each landing.
//!
//! `golden/v1` is a data folder with a run that waits in the middle of a group. It is never
//! written again; a new layout adds a folder beside it. `BATON_TEST_WRITE_GOLDEN=1` makes one.

use std::path::{Path, PathBuf};

use baton_common::ids::{RunId, Seq};
use baton_common::records::{RunStatus, TaskState};
use baton_store::suite::{differential, golden};
use baton_store::{Reader, Registry, SqliteOptions, SqliteStore, Store};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&SqliteOptions { folder: folder.to_owned(), timings: differential::timings() }).unwrap()
}

#[tokio::test]
async fn a_store_of_the_first_landing_is_read() {
    if std::env::var_os("BATON_TEST_WRITE_GOLDEN").is_some() {
        let store = open(&folder());
        golden::fill(&store).await;
        store.close().await;
    }
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder().join("baton.sqlite"), copy.path().join("baton.sqlite")).unwrap();
    let store = open(copy.path());
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
