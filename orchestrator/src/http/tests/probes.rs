//! What load balancers are told.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpStream;

use super::client::PATIENCE;
use super::rig::Rig;

async fn until(rig: &Rig, what: &str, holds: impl Fn(u16, &Value) -> bool) {
    let started = Instant::now();
    loop {
        let reply = rig.get("/readyz").await;
        let status = reply.status;
        let readiness = reply.json().await;
        if holds(status, &readiness) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "it never held that {what}: {status} {readiness}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_means_that_store_broker_steps_and_sweeper_move() {
    let rig = Rig::new().await;
    let all = ["store", "broker", "compute", "sweeper"];
    until(&rig, "it is ready", |status, ready| status == 200 && all.iter().all(|part| ready[*part] == true)).await;
    rig.store.away.store(true, Ordering::Relaxed);
    until(&rig, "the store is away", |status, ready| status == 503 && ready["store"] == false).await;
    assert_eq!(rig.get("/healthz").await.status, 200, "it lives nevertheless");
    rig.store.away.store(false, Ordering::Relaxed);
    until(&rig, "it is ready again", |status, _| status == 200).await;
    rig.services.orchestrator.broker().close().await;
    until(&rig, "the broker is gone", |status, ready| status == 503 && ready["broker"] == false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_never_get_their_turn_are_no_progress() {
    let rig = Rig::new().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let compute = rig.services.orchestrator.inner.compute.clone();
    let blocked = tokio::spawn(async move { compute.run(move || held.recv()).await });
    until(&rig, "steps are stuck", |status, ready| status == 503 && ready["compute"] == false).await;
    release.send(()).expect("it still holds");
    blocked.await.expect("no panic").expect("computed").expect("released");
    until(&rig, "steps go on", |status, _| status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_told_while_it_lasts_and_ends_what_is_open() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    until(&rig, "it is ready", |status, _| status == 200).await;
    let mut watching = rig.watch(&run, "", "").await;
    watching.message().await.expect("an event");
    let _idle = TcpStream::connect(rig.http).await.expect("a connection");
    rig.services.shutdown.cancel();
    let reply = rig.get("/readyz").await;
    assert_eq!(reply.status, 503);
    let readiness = reply.json().await;
    assert_eq!((&readiness["ready"], &readiness["draining"]), (&false.into(), &true.into()));
    assert_eq!(rig.get("/healthz").await.status, 200);
    let refused = rig.get(&format!("/v1/runs/{run}")).await;
    assert_eq!((refused.status, refused.headers.get("retry-after").map(String::as_str)), (503, Some("1")));
    assert_eq!(refused.json().await["error"]["code"], "draining");
    let last = watching.messages().await.pop().expect("a last word");
    assert_eq!((last.event.as_str(), &last.data["error"]["code"]), ("broken", &"draining".into()));
    rig.done.cancel();
    let started = Instant::now();
    while !rig.serving.is_finished() {
        assert!(started.elapsed() < PATIENCE, "an idle connection holds it up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
