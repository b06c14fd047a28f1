//! Messages that somebody at the broker wrote, while the job they speak of is open and a
//! real worker waits for it: nothing runs by them, the worker lives, and the true message
//! still does its work, once.

use std::time::{Duration, Instant};

use baton_integration_tests::cluster::{Cluster, ClusterOptions, ledger};
use serde_json::{Value, json};

use crate::tap::Tap;

const GRAPH: &str = "
baton: 1
graph: one-job
start: work
nodes:
  work:
    tool: { name: debug.ledger, args: { file: work.jsonl, effect: idempotent } }
    then: end
";

const QUEUE: &str = "io.normal";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_message_runs_anything_and_the_true_one_runs_once() {
    let options = ClusterOptions { orchestrators: 1, cpu_workers: 0, hurry: 1, ..ClusterOptions::default() };
    let mut cluster = Cluster::start(&options).await.unwrap();
    cluster.run_all().await.unwrap();
    cluster.client.apply(GRAPH, &[]).await.unwrap();
    let tap = Tap::on(&cluster, QUEUE).await;

    // The job is open, its message is ours alone, and no worker has seen it.
    cluster.workers[0].kill();
    let run = cluster.client.submit("one-job", &json!({}), "open").await.unwrap();
    let copied = Instant::now();
    let body = loop {
        match tap.copy().await {
            Some(body) => break body,
            None => assert!(copied.elapsed() < PATIENCE, "it is never published\n{}", cluster.logs()),
        }
    };
    cluster.take_messages(QUEUE).unwrap();
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    let forged = forged(&envelope);
    for (_, body) in &forged {
        tap.send(body).await;
    }
    cluster.workers[0].start().unwrap();
    empty(&cluster).await;
    let log = cluster.workers[0].log();
    let told = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(told("message rejected"), 6, "{log}");
    assert_eq!(told("message of another cluster dropped"), 1, "{log}");
    let refused = cluster.orchestrators[0].log();
    let refused = refused.lines().filter(|line| line.contains("claim without a permit")).count();
    assert_eq!(refused, 6, "{}", cluster.orchestrators[0].log());
    assert!(cluster.workers[0].is_running());
    assert!(ledger::read(&cluster.ledger_folder()).unwrap().is_empty(), "a forged message ran something");

    // Another tool's name changes nothing: what runs is what the store says.
    let mut renamed = envelope.clone();
    renamed["tool"] = json!("debug.echo");
    renamed["effect"] = json!("pure");
    tap.send(renamed.to_string().as_bytes()).await;
    let seen = cluster.client.settled(&run, PATIENCE).await.unwrap();
    assert_eq!(seen.status, "succeeded", "{seen:?}\n{}", cluster.logs());
    // Played again, in the clear and with older numbers: the job is over.
    for seq in 0..20 {
        let mut again = envelope.clone();
        again["dispatch_seq"] = json!(seq);
        tap.send(again.to_string().as_bytes()).await;
    }
    empty(&cluster).await;
    let ran = ledger::read(&cluster.ledger_folder()).unwrap();
    assert_eq!(ran.values().map(|ran| (ran.starts, ran.ends)).collect::<Vec<_>>(), [(1, 1)], "{ran:?}");
    assert!(cluster.workers[0].is_running());
}

/// What nobody but the orchestrator can write, by what is wrong with it.
fn forged(envelope: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let with = |name: &str, value: Value| {
        let mut forged = envelope.clone();
        forged[name] = value;
        forged.to_string().into_bytes()
    };
    let job = envelope["job"].as_str().unwrap();
    let mut padded = with("traceparent", json!("x".repeat(4_000)));
    padded.truncate(4_000);
    let mut later = envelope.clone();
    (later["v"], later["job"]) = (json!(2), json!(job.replace("#1", "#9")));
    vec![
        ("nothing", Vec::new()),
        ("garbage", vec![0xff; 1_000]),
        ("a deep text", vec![b'['; 2_000]),
        ("longer than an envelope", padded),
        ("huge", vec![b' '; 8 * 1024 * 1024]),
        ("another version", later.to_string().into_bytes()),
        ("another cluster", with("cluster", json!("another"))),
        ("no permit", with("permit", Value::Null)),
        ("another permit", with("permit", json!("0".repeat(32)))),
        ("another digest", with("digest", json!("0".repeat(32)))),
        ("another tenant", with("tenant", json!("somebody"))),
        ("another class", with("class", json!("cpu"))),
        ("another job", with("job", json!(job.replace("#1", "#7")))),
    ]
}

/// Waits until nobody has anything left to read.
async fn empty(cluster: &Cluster) {
    let began = Instant::now();
    loop {
        let left = cluster.messages(&[QUEUE, baton_broker::DEAD_QUEUE]).unwrap();
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{left} messages are left\n{}", cluster.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
