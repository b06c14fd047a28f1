//! A control plane that does not answer, and workers that die meanwhile.

use std::path::Path;
use std::time::Duration;

use baton_broker::Broker as _;
use baton_common::job::Outcome;
use baton_common::tool::QueueClass;
use baton_common::{Digest, Fence};
use baton_control::{Hold, Resume};
use serde_json::json;

use crate::spool::{self, DiskSpool, MemorySpool, Spool};
use crate::testing::{Bench, LEASE_MS, job};

#[tokio::test(start_paused = true)]
async fn a_worker_waits_for_a_control_plane_that_is_not_there_yet() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().silent = true;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.waiting().await, 1);
    bench.control.book().silent = false;
    bench.until_done().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_or_acknowledged_during_a_silence() {
    let bench = Bench::new(QueueClass::Io);
    bench.start();
    bench.until("it is listed", |book| !book.announced.is_empty()).await;
    bench.control.book().silent = true;
    for index in 0..20 {
        bench.submit(index, "t.io", json!({})).await;
    }
    tokio::time::sleep(Duration::from_millis(LEASE_MS * 3)).await;
    assert_eq!(bench.waiting().await, 20, "after a lease's time what was in hand went back");
    assert_eq!(bench.control.book().claims.len(), 0);
    bench.control.book().silent = false;
    bench.until_done().await;
    assert_eq!(bench.control.book().resumes.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn messages_go_back_seldom_while_claims_alone_fail() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().claims_silent = true;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    // As with leases of half a minute and an outage of 25 minutes.
    tokio::time::sleep(Duration::from_millis(LEASE_MS * 50)).await;
    let dead = bench.broker.depth(baton_broker::DEAD_QUEUE).await.unwrap().unwrap().ready;
    assert_eq!(dead, 0, "returns stay far below the limit of the queue");
    bench.control.book().claims_silent = false;
    bench.until_done().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_claim_does_not_spin() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().refusals = 5;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    tokio::time::sleep(Duration::from_millis(LEASE_MS)).await;
    assert!(bench.control.book().refusals >= 3, "a refusal is followed by a rest");
    bench.until_done().await;
}

#[tokio::test(start_paused = true)]
async fn results_wait_in_the_spool_and_free_their_slots() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().resumes_silent = true;
    for index in 0..12 {
        bench.submit(index, "t.io", json!({})).await;
    }
    bench.start();
    let give_up = tokio::time::Instant::now() + Duration::from_secs(600);
    while bench.spool.keys().await.len() < 12 {
        assert!(tokio::time::Instant::now() < give_up, "three times as many results as slots must fit");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.control.book().resumes_silent = false;
    bench.until_done().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.spool.keys().await.is_empty());
    assert_eq!(bench.control.book().resumes.len(), 12, "each was offered once");
}

#[tokio::test(start_paused = true)]
async fn a_spooled_result_is_offered_by_the_next_process() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().resumes_silent = true;
    let job = bench.submit(0, "t.io", json!({})).await;
    let first = bench.start();
    while bench.spool.keys().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.control.book().resumes_silent = false;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.outcome(&job), None, "nothing of a dead worker goes on");
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.control.book().claims.len(), 1, "the work was not done again");
}

#[tokio::test(start_paused = true)]
async fn a_full_spool_keeps_the_slot_and_the_result() {
    /// Takes nothing.
    struct Full;
    #[async_trait::async_trait]
    impl Spool for Full {
        async fn put(&self, _: &Resume) -> Result<(), spool::Error> {
            Err(spool::Error::Full { held: 1, max: 1 })
        }
        async fn keys(&self) -> Vec<String> {
            Vec::new()
        }
        async fn get(&self, _: &str) -> Option<Resume> {
            None
        }
        async fn remove(&self, _: &str) {}
    }
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.slots = 1;
    bench.control.book().resumes_silent = true;
    bench.submit(0, "t.io", json!({})).await;
    bench.submit(1, "t.io", json!({})).await;
    let parts = crate::Parts { spool: std::sync::Arc::new(Full), ..bench.parts() };
    tokio::spawn(crate::Worker::run(parts, bench.shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.control.book().claims.len(), 1);
    bench.control.book().resumes_silent = false;
    bench.until_done().await;
}

fn resume(index: u32, text: &str) -> Resume {
    let hold = Hold::new(job("t.io", index), Fence(3), "token".to_owned());
    Resume { hold, digest: Digest::of("d"), outcome: Outcome::value(text), trace: None }
}

async fn keeps_results(spool: &dyn Spool) {
    spool.put(&resume(0, "a")).await.unwrap();
    spool.put(&resume(1, "b")).await.unwrap();
    let keys = spool.keys().await;
    assert_eq!(keys.len(), 2);
    let mut kept = Vec::new();
    for key in &keys {
        kept.push(spool.get(key).await.unwrap());
    }
    kept.sort_by(|left, right| left.hold.job.cmp(&right.hold.job));
    assert_eq!(kept, [resume(0, "a"), resume(1, "b")]);
    spool.remove(&keys[0]).await;
    spool.remove(&keys[0]).await;
    assert_eq!(spool.keys().await, [keys[1].clone()]);
}

#[tokio::test]
async fn both_spools_keep_results() {
    keeps_results(&MemorySpool::default()).await;
    let folder = tempfile::tempdir().unwrap();
    keeps_results(&DiskSpool::open(folder.path(), spool::BYTES_MAX).unwrap()).await;
}

#[tokio::test]
async fn a_spool_on_disk_survives_its_process_and_knows_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let open = |bytes_max| DiskSpool::open(folder.path(), bytes_max).unwrap();
    open(spool::BYTES_MAX).put(&resume(0, "a")).await.unwrap();
    let again = open(spool::BYTES_MAX);
    assert_eq!(again.keys().await.len(), 1);
    again.put(&resume(1, "b")).await.unwrap();
    let keys = again.keys().await;
    assert_eq!(again.get(&keys[0]).await.unwrap(), resume(0, "a"), "the oldest comes first");
    let full = open(10).put(&resume(2, "c")).await;
    assert!(matches!(full, Err(spool::Error::Full { max: 10, .. })));
    for (name, _) in files(folder.path()) {
        std::fs::write(folder.path().join(name), b"torn").unwrap();
    }
    assert_eq!(again.get(&keys[0]).await, None);
    assert_eq!(again.keys().await.len(), 1, "what cannot be read is dropped");
}

fn files(folder: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect()
}
