//! Attempts that go wrong, take too long, or are told to stop.

use std::time::Duration;

use baton_common::job::Outcome;
use baton_common::payload::INLINE_BYTES_MAX;
use baton_common::tool::QueueClass;
use baton_common::{ErrorClass, Payload};
use serde_json::json;

use crate::testing::{Bench, LEASE_MS};

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_job_alone() {
    for (class, tool) in [(QueueClass::Io, "t.io"), (QueueClass::Cpu, "t.cpu")] {
        let bench = Bench::new(class);
        let bad = bench.submit(0, tool, json!({ "panic": true })).await;
        let good = bench.submit(1, tool, json!({})).await;
        bench.start();
        bench.until_done().await;
        assert_eq!(bench.code(&bad), "tool_panicked");
        assert!(matches!(bench.outcome(&good), Some(Outcome::Ok(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_that_break_the_schema_do_not_reach_the_tool() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!([])).await;
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.code(&job), "bad_arguments");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_told_and_then_left_behind() {
    let bench = Bench::new(QueueClass::Io);
    let heeding = bench.submit_within(0, "t.io", json!({ "ms": 3_600_000 }), 1_000).await;
    let deaf = bench.submit_within(1, "t.io", json!({ "ms": 3_600_000, "deaf": true }), 1_000).await;
    let begin = tokio::time::Instant::now();
    bench.start();
    bench.until_done().await;
    assert_eq!((bench.code(&heeding), bench.code(&deaf)), ("timeout".to_owned(), "timeout".to_owned()));
    let grace = Duration::from_millis(1_000 + bench.settings.cancel_grace_ms);
    assert!(begin.elapsed() >= grace && begin.elapsed() < grace * 2, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_result_within_the_grace_is_a_result() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit_within(0, "t.io", json!({ "ms": 2_000, "deaf": true }), 1_000).await;
    bench.start();
    bench.until_done().await;
    assert!(matches!(bench.outcome(&job), Some(Outcome::Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_long_before_they_end() {
    let bench = Bench::new(QueueClass::Io);
    bench.submit(0, "t.io", json!({ "ms": LEASE_MS * 20 })).await;
    bench.start();
    bench.until_done().await;
    let longest = bench.control.book().longest_without_renewal;
    assert!(longest > Duration::ZERO && longest <= Duration::from_millis(LEASE_MS * 2 / 3), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_stops_the_job_and_tells_no_failure() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!({ "ms": 3_600_000 })).await;
    bench.control.book().lost.insert(job.clone());
    bench.start();
    bench.until("it is claimed", |book| book.claims.len() == 1).await;
    tokio::time::sleep(Duration::from_millis(LEASE_MS * 3)).await;
    assert_eq!(bench.status.counts().running, 0);
    assert_eq!(bench.status.counts().lost, 1);
    assert_eq!(bench.outcome(&job), None);
}

#[tokio::test(start_paused = true)]
async fn a_result_finished_after_the_lease_was_lost_is_still_offered() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!({ "ms": LEASE_MS * 2, "deaf": true })).await;
    bench.control.book().lost.insert(job.clone());
    bench.start();
    bench.until_done().await;
    assert!(matches!(bench.outcome(&job), Some(Outcome::Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stops_its_jobs_and_hears_of_it() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!({ "ms": 3_600_000 })).await;
    bench.control.book().cancelled.insert(job.clone());
    bench.start();
    bench.until_done().await;
    let Some(Outcome::Error(failure)) = bench.outcome(&job) else { panic!("no failure") };
    assert_eq!(failure.class, ErrorClass::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_large_result_travels_as_a_blob_and_an_oversized_one_not_at_all() {
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.result_bytes_max = 2 * INLINE_BYTES_MAX;
    let small = bench.submit(0, "t.io", json!({ "bytes": INLINE_BYTES_MAX - 2 })).await;
    let large = bench.submit(1, "t.io", json!({ "bytes": INLINE_BYTES_MAX - 1 })).await;
    let oversized = bench.submit(2, "t.io", json!({ "bytes": 2 * INLINE_BYTES_MAX })).await;
    bench.start();
    bench.until_done().await;
    assert!(matches!(bench.outcome(&small), Some(Outcome::Ok(Payload::Inline(_)))));
    let Some(Outcome::Ok(Payload::Blob(blob))) = bench.outcome(&large) else { panic!("no blob") };
    assert_eq!(blob.media_type, "application/json");
    assert_eq!(bench.control.book().blobs[&blob.key].len(), INLINE_BYTES_MAX + 1);
    assert_eq!(bench.code(&oversized), "result_too_large");
}
