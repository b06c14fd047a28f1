//! Streams: in order, gap-free, resumable, and no burden for a run.

use std::sync::atomic::Ordering;
use std::time::Instant;

use baton_common::JobId;
use baton_common::ids::Fence;
use serde_json::json;

use super::client::{Message, PATIENCE};
use super::rig::Rig;
use crate::api::Live;

fn numbers(messages: &[Message]) -> Vec<u64> {
    let events = messages.iter().filter(|message| message.event == "event");
    events.map(|message| message.data["seq"].as_u64().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_goes_on_without_gap_or_repetition() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let mut seen = Vec::new();
    let mut first = rig.watch(&run, "", "").await;
    for _ in 0..2 {
        seen.push(first.message().await.expect("an event"));
    }
    let id = seen.last().and_then(|message| message.id.clone()).expect("an id");
    drop(first);
    rig.answer(&run).await;
    // What the browser remembers goes before what the address says.
    let rest = rig.watch(&run, "?after=0", &format!("Last-Event-ID: {id}\r\n")).await.messages().await;
    seen.extend(rest);
    let numbers = numbers(&seen);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(seen.iter().all(|message| message.event != "event" || message.id == Some(message.data["seq"].to_string())));
    let end = seen.pop().expect("an end");
    assert_eq!((end.event.as_str(), &end.data["status"]), ("ended", &"succeeded".into()));
    assert_eq!(end.data["last_event"].as_u64(), numbers.last().copied());
    let again = rig.watch(&run, "", &format!("Last-Event-ID: {}\r\n", end.id.expect("an id"))).await;
    assert_eq!(again.status, 204, "whoever saw the end need not come back");
    let behind = rig.watch(&run, &format!("?after={}", numbers.len()), "").await.messages().await;
    assert_eq!(behind.iter().map(|message| message.event.as_str()).collect::<Vec<_>>(), ["ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_gone_are_told_as_a_gap() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    rig.store.gone.store(2, Ordering::Relaxed);
    let mut watching = rig.watch(&run, "", "").await;
    let gap = watching.message().await.expect("a gap");
    assert_eq!((gap.event.as_str(), &gap.data, gap.id.as_deref()), ("gap", &json!({"first": 1, "last": 2}), Some("2")));
    assert_eq!(watching.message().await.expect("an event").data["seq"], 3);
    drop(watching);
    // All of them: the run has not moved since, and nothing but its count tells of them.
    rig.store.gone.store(1_000, Ordering::Relaxed);
    let last = rig.get(&format!("/v1/runs/{run}")).await.json().await["last_event"].as_u64().expect("a number");
    let gap = rig.watch(&run, "?after=1", "").await.message().await.expect("a gap");
    assert_eq!((gap.event.as_str(), &gap.data), ("gap", &json!({"first": 2, "last": last})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_the_run_never_reached_is_refused() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let ahead = rig.watch(&run, "?after=900", "").await;
    assert_eq!(ahead.status, 409);
    assert_eq!(ahead.json().await["error"]["code"], "event_unknown");
    let strange = rig.watch(&run, "", "Last-Event-ID: seven\r\n").await;
    assert_eq!(strange.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_never_reads_slows_no_run_and_misses_nothing_that_is_recorded() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let mut slow = rig.watch(&run, "", "").await;
    slow.message().await.expect("an event");
    let job: JobId = format!("{run}/0/a#1/0").parse().expect("a job");
    // Far more than sockets and buffers hold; nobody waits for the reader.
    let body = json!("x".repeat(32 * 1024));
    let started = Instant::now();
    for _ in 0..2_000 {
        rig.services.orchestrator.inner.watchers.live(Live { job: job.clone(), body: body.clone() });
    }
    rig.answer(&run).await;
    let end = rig.watch(&run, "", "").await.messages().await.pop().expect("an end");
    assert_eq!(end.event, "ended");
    assert!(started.elapsed() < PATIENCE);
    let messages = slow.messages().await;
    let lives = messages.iter().filter(|message| message.event == "live").count();
    assert!(lives < 2_000, "progress was kept for a reader who does not read: {lives}");
    assert_eq!(numbers(&messages), (2..=end.data["last_event"].as_u64().expect("a number")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_stands_beside_events_without_an_id_and_costs_no_read() {
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let mut watching = rig.watch(&run, "", "").await;
    watching.beat().await;
    let job: JobId = format!("{run}/0/a#1/0").parse().expect("a job");
    let (before, mut sent, mut seen) = (rig.store.reads.load(Ordering::Relaxed), 0, 0);
    let started = Instant::now();
    while seen < 100 {
        rig.services.orchestrator.inner.watchers.live(Live { job: job.clone(), body: json!({ "delta": sent }) });
        sent += 1;
        let message = watching.message().await.expect("progress");
        if message.event == "live" {
            assert_eq!((message.id, &message.data["body"]["delta"]), (None, &seen.into()));
            seen += 1;
        }
    }
    let polls = started.elapsed().as_millis() as u64 / 200 + 2;
    let reads = rig.store.reads.load(Ordering::Relaxed) - before;
    assert!(reads <= polls, "{reads} reads for progress, where {polls} would do");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_emits_is_shown_if_it_holds_the_job() {
    use baton_control::{ControlPlane as _, Hold};
    let rig = Rig::new().await;
    let run = rig.asking().await;
    let mut watching = rig.watch(&run, "", "").await;
    watching.beat().await;
    let job: JobId = format!("{run}/0/a#1/0").parse().expect("a job");
    let plane = &rig.services.orchestrator;
    let holder = crate::keys::Holder { tenant: "local".parse().expect("a tenant"), graph: None, taken: Vec::new() };
    let token = plane.inner.keys.token(&job, Fence(1), &holder);
    let hold = Hold::new(job.clone(), Fence(1), token);
    let forged = Hold { token: "made up".into(), ..hold.clone() };
    assert!(plane.emit(forged, json!("forged")).await.is_err());
    plane.emit(hold, json!({ "delta": "Hel" })).await.expect("shown");
    loop {
        let message = watching.message().await.expect("progress");
        if message.event == "live" {
            assert_eq!(message.data, json!({ "job": job, "body": { "delta": "Hel" } }));
            break;
        }
    }
}

/// Two steps that write, one of them to a list that grows.
const WRITES: &str = "baton: 1\ngraph: writes\nstate:\n  log: { type: array, reduce: append }\n  x: string\nstart: a\nnodes:\n  a: { ask: { title: hi, fields: { x: string } }, save: { x: output.x, log: output.x }, then: b }\n  b: { ask: { title: hi, fields: { x: string } }, save: { x: output.x, log: output.x }, then: end }\n";

#[tokio::test(flavor = "multi_thread")]
async fn updates_of_the_state_come_with_the_events_that_made_them_also_after_a_return() {
    let rig = Rig::new().await;
    let submitted = rig.post("/v1/runs", json!({ "source": WRITES })).await.json().await;
    let run = submitted["run"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned();
    for (node, text) in [("a", "one"), ("b", "two")] {
        let started = Instant::now();
        while rig.get("/v1/questions").await.json().await["questions"][0]["node"] != node {
            assert!(started.elapsed() < PATIENCE, "{node} never asks");
        }
        let answer = json!({ "question": node, "decision": { "x": text } });
        assert_eq!(rig.post(&format!("/v1/runs/{run}/answer"), answer).await.status, 200);
    }
    let told = |messages: &[Message]| {
        let changes = messages.iter().filter_map(|message| message.data.get("changes"));
        changes.filter(|changes| **changes != json!([])).cloned().collect::<Vec<_>>()
    };
    let all = rig.watch(&run, "?state=true", "").await.messages().await;
    let first = json!([{ "channel": "log", "after": ["one"] }, { "channel": "x", "after": "one" }]);
    let second = json!([{ "channel": "log", "kept": 1, "added": ["two"] }, { "channel": "x", "after": "two" }]);
    assert_eq!(told(&all), [first, second.clone()]);
    let seen = all.iter().rposition(|message| message.data["kind"] == "answered").expect("answers");
    let id = all[seen].id.clone().expect("an id");
    let rest = rig.watch(&run, "?state=true", &format!("Last-Event-ID: {id}\r\n")).await.messages().await;
    assert_eq!(told(&rest), [second]);
    let plain = rig.watch(&run, "", "").await.messages().await;
    assert_eq!(told(&plain), [json!(null); 0]);

    use baton_proto::v1;
    let mut runs = v1::runs_client::RunsClient::new(rig.carrier(None));
    let request = v1::WatchRequest { run_id: run.clone(), after: 0, state: true };
    let mut items = runs.watch(request).await.expect("a watch").into_inner();
    let mut updates = Vec::new();
    while let Some(item) = items.message().await.expect("no error") {
        if let Some(v1::watch_response::Item::Event(event)) = item.item {
            updates.extend(event.updates);
        }
    }
    let added = updates.iter().filter_map(|update| update.added_json.as_deref()).collect::<Vec<_>>();
    assert_eq!((updates.len(), added), (4, vec![r#"["two"]"#]));
}
