//! From message to outcome, and what happens to messages that lead to none.

use std::time::Duration;

use baton_broker::Broker as _;
use baton_common::job::Outcome;
use baton_common::tool::QueueClass;
use serde_json::json;

use crate::testing::{Bench, job};

#[tokio::test(start_paused = true)]
async fn a_job_is_claimed_run_and_resumed() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!({})).await;
    let worker = bench.start();
    bench.until_done().await;
    assert_eq!(bench.outcome(&job), Some(Outcome::value(json!({ "ok": true }))));
    assert_eq!(bench.waiting().await, 0);
    let tools: Vec<_> = bench.control.book().announced[0].tools.iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(tools, ["t.io"], "only tools of its class are announced");
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_twice_runs_once() {
    let bench = Bench::new(QueueClass::Io);
    let job = bench.submit(0, "t.io", json!({ "ms": 500 })).await;
    bench.publish(&bench.envelope(&job)).await;
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.control.book().resumes.len(), 1);
    assert_eq!(bench.status.counts().dropped, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_claim_reply_finds_its_own_grant() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().lost_claim_replies = 3;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    let book = bench.control.book();
    assert_eq!(book.claims.len(), 4);
    assert!(book.claims.iter().all(|call| call.request == book.claims[0].request), "one request throughout");
    assert_eq!(book.resumes[0].hold.fence.0, 1, "the first grant is the one that ran");
}

#[tokio::test(start_paused = true)]
async fn a_lost_resume_reply_is_offered_again() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().lost_resume_replies = 1;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until("the outcome is offered twice", |book| book.resumes.len() == 2).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.control.book().resumes.len(), 2, "a final answer ends it");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_goes_to_the_dead_letters() {
    let bench = Bench::new(QueueClass::Io);
    bench.publish_bytes(b"garbage".to_vec()).await;
    bench.publish_bytes(vec![b' '; 4_000]).await;
    let mut strange = bench.envelope(&job("t.io", 9));
    strange.v = 2;
    bench.publish(&strange).await;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.status.counts().rejected, 3);
    assert_eq!(bench.broker.depth(baton_broker::DEAD_QUEUE).await.unwrap().unwrap().ready, 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_another_cluster_is_dropped() {
    let bench = Bench::new(QueueClass::Io);
    let mut foreign = bench.envelope(&job("t.io", 9));
    foreign.cluster = "elsewhere".into();
    bench.publish(&foreign).await;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.control.book().claims.len(), 1);
    assert_eq!(bench.waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_tool_it_lacks_goes_back_unclaimed() {
    let bench = Bench::new(QueueClass::Io);
    for (tool, major) in [("t.unknown", 1), ("t.io", 2)] {
        let mut envelope = bench.envelope(&job(tool, 0));
        envelope.tool_major = major;
        bench.publish(&envelope).await;
    }
    let worker = bench.start();
    tokio::time::sleep(Duration::from_millis(bench.settings.foreign_pause_ms / 2)).await;
    assert_eq!(bench.control.book().claims.len(), 0);
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(bench.waiting().await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_undecided_claim_is_asked_again_and_then_given_back() {
    let bench = Bench::new(QueueClass::Io);
    bench.control.book().later = 2;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    assert_eq!(bench.control.book().claims.len(), 3);

    let bench = Bench::new(QueueClass::Io);
    let asked = bench.settings.later_tries_max as usize + 1;
    bench.control.book().later = asked;
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    let book = bench.control.book();
    assert_ne!(book.claims[asked].request, book.claims[0].request, "it came back as another delivery");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_sleeping_jobs_run_at_once() {
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.slots = 200;
    for index in 0..200 {
        bench.submit(index, "t.io", json!({ "ms": 10_000 })).await;
    }
    let begin = tokio::time::Instant::now();
    bench.start();
    bench.until_done().await;
    assert!(begin.elapsed() < Duration::from_secs(11), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_full_worker_leaves_messages_to_others() {
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.slots = 2;
    for index in 0..6 {
        bench.submit(index, "t.io", json!({ "ms": 60_000 })).await;
    }
    bench.start();
    bench.until("both slots are taken", |book| book.claims.len() == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.waiting().await, 4, "what it prefetched is back in the queue");
    assert_eq!(bench.control.book().claims.len(), 2);
    bench.until_done().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_what_runs_and_takes_no_more() {
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.slots = 1;
    let first = bench.submit(0, "t.io", json!({ "ms": 5_000 })).await;
    let second = bench.submit(1, "t.io", json!({ "ms": 5_000 })).await;
    let worker = bench.start();
    bench.until("the first runs", |book| book.claims.len() == 1).await;
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
    assert!(bench.outcome(&first).is_some() && bench.outcome(&second).is_none());
    assert_eq!(bench.waiting().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_beyond_the_grace_is_given_back() {
    let mut bench = Bench::new(QueueClass::Io);
    bench.settings.drain_grace_ms = 1_000;
    bench.control.book().lost_resume_replies = 1;
    let job = bench.submit(0, "t.io", json!({ "ms": 3_600_000 })).await;
    let worker = bench.start();
    bench.until("it runs", |book| book.claims.len() == 1).await;
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(bench.outcome(&job), None, "a worker that leaves is no failure of the job");
    let returned: Vec<_> = bench.control.book().returned.iter().map(|hold| hold.job.clone()).collect();
    assert_eq!(returned, [job.clone(), job], "once more after a reply that was lost");
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_make_equal_histories() {
    let history = async || {
        let bench = Bench::new(QueueClass::Io);
        bench.control.book().lost_claim_replies = 2;
        bench.control.book().later = 3;
        for index in 0..20 {
            bench.submit(index, "t.io", json!({ "ms": u64::from(index) * 7 % 50 })).await;
        }
        let worker = bench.start();
        bench.until_done().await;
        worker.abort();
        std::mem::take(&mut bench.control.book().log)
    };
    assert_eq!(history().await, history().await);
}
