//! What a cluster of real processes tells Prometheus: every number moves when what it counts
//! happens, on the process that counts it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use baton_broker::{Message, Published};
use baton_integration_tests::cluster::{Cluster, ClusterOptions};
use baton_testbed::free_port;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A model is asked, then a person.
const TALKS: &str = "
baton: 1
graph: talks
input: { topic: string }
output: { words: state.words }
state: { words: { type: string, default: '' } }
start: write
nodes:
  write:
    chat: { route: writer, user: 'Write about {{ input.topic }}' }
    save: { words: output.text }
    then: review
  review:
    ask: { title: 'Publish?', edit: state.words }
    then: end
";

/// A job that takes longer than the test.
const WAITS: &str = "
baton: 1
graph: waits
start: wait
nodes:
  wait:
    tool: { name: debug.sleep, args: { ms: 600000 } }
    then: end
";

/// So long may pass until a number is told: announcements come every ten seconds.
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn numbers_move_when_what_they_count_happens() {
    let (mut cluster, plane, worker) = measured_cluster().await;
    cluster.run_all().await.unwrap();
    cluster.client.apply(TALKS, &[]).await.unwrap();
    cluster.client.apply(WAITS, &[]).await.unwrap();

    let before = plane.page().await;
    assert_eq!(before.of("baton_runs", &["running"]), Some(0.0), "what may be counted is told from the start");
    assert_eq!(before.of("baton_queue_workers", &["io.normal"]), Some(1.0));
    assert_eq!(before.of("baton_queue_workers", &["cpu.normal"]), Some(0.0));
    assert_eq!(before.of("baton_worker_slots", &["io"]), None, "a worker tells that");

    let run = cluster.client.submit("talks", &json!({"topic": "tides"}), "talk").await.unwrap();
    cluster.client.settled(&run, WITHIN).await.unwrap();
    let asked = plane.await_value("baton_interrupts_open", &[], 1.0).await;
    assert!(asked.of("baton_interrupts_oldest_age_seconds", &[]).unwrap() > 0.0);
    assert_eq!(asked.of("baton_runs", &["running"]), Some(1.0), "a run that waits for an answer is open");
    for (name, least) in [
        ("baton_step_duration_seconds_count", 2.0),
        ("baton_dispatch_lag_seconds_count", 1.0),
        ("baton_store_duration_seconds_count", 10.0),
        ("baton_broker_publish_duration_seconds_count", 1.0),
        ("baton_runs_submitted_total", 1.0),
        ("baton_store_up", 1.0),
        ("baton_broker_up", 1.0),
        ("process_cpu_seconds_total", 0.01),
        ("process_resident_memory_bytes", 1e6),
    ] {
        assert!(asked.of(name, &[]).unwrap() >= least, "{name}: {:?}", asked.of(name, &[]));
    }
    assert!(asked.of("baton_queue_wait_seconds_count", &["io.normal"]).unwrap() >= 1.0);
    assert_eq!(asked.of("baton_pool_size", &["advances"]), Some(256.0));
    the_worker_tells_of_models(&worker.page().await);

    cluster.client.answer(&run, "review", &json!({"action": "approve"})).await.unwrap();
    assert_eq!(cluster.client.settled(&run, WITHIN).await.unwrap().status, "succeeded");
    let ended = plane.await_value("baton_runs", &["running"], 0.0).await;
    assert_eq!(ended.of("baton_interrupts_open", &[]), Some(0.0));
    assert_eq!(ended.of("baton_runs_ended_total", &["succeeded"]), Some(1.0));

    garbage(&cluster).await;
    plane.await_value("baton_dead_letters_total", &["io.normal"], 1.0).await;

    let lost = cluster.client.submit("waits", &json!({}), "wait").await.unwrap();
    plane.await_value("baton_claims_in_flight", &["io", "io.normal"], 1.0).await;
    assert_eq!(worker.page().await.of("baton_pool_used", &["slots"]), Some(1.0));
    cluster.workers[0].kill();
    plane.await_value("baton_lease_expiries_total", &["io"], 1.0).await;
    // The message that it is published with once more gets lost.
    plane.await_value("baton_queue_messages", &["io.normal"], 1.0).await;
    cluster.take_messages("io.normal").unwrap();
    plane.await_value("baton_republications_total", &["unclaimed"], 1.0).await;
    cluster.client.cancel(&lost).await.unwrap();
    plane.await_value("baton_runs_ended_total", &["cancelled"], 1.0).await;
    the_broker_is_missed(cluster, &plane).await;
}

/// A lost connection counts, and each try in vain to have another.
async fn the_broker_is_missed(mut cluster: Cluster, plane: &Scraped) {
    let before = plane.page().await.of("baton_broker_errors_total", &[]).unwrap();
    tokio::task::block_in_place(|| cluster.rabbit.kill());
    plane.await_value("baton_broker_errors_total", &[], before + 5.0).await;
    plane.await_value("baton_broker_up", &[], 0.0).await;
}

fn the_worker_tells_of_models(page: &Page) {
    assert_eq!(page.of("baton_jobs_total", &["io", "succeeded"]), Some(1.0));
    assert_eq!(page.of("baton_job_duration_seconds_count", &["io"]), Some(1.0));
    assert_eq!(page.of("baton_model_calls_total", &["writer", "succeeded"]), Some(1.0));
    assert_eq!(page.of("baton_model_tokens_total", &["local", "writer", "input"]), Some(1_000.0));
    assert_eq!(page.of("baton_model_tokens_total", &["local", "writer", "output"]), Some(500.0));
    assert_eq!(page.of("baton_model_cost_dollars_total", &["local", "writer"]), Some(0.006));
    assert_eq!(page.of("baton_model_call_duration_seconds_count", &["writer"]), Some(1.0));
    assert_eq!(page.of("baton_worker_slots", &["io"]), Some(64.0));
    assert_eq!(page.of("baton_worker_spooled_results", &[]), Some(0.0));
    assert_eq!(page.of("baton_broker_errors_total", &[]), Some(0.0));
    assert_eq!(page.of("baton_runs_submitted_total", &[]), None, "an orchestrator tells that");
}

/// A cluster with a model that replays and has a price, and where its processes are scraped.
async fn measured_cluster() -> (Cluster, Scraped, Scraped) {
    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::start(&options).await.unwrap();
    let script = cluster.folder().join("script.json");
    let usage = json!({"input_tokens": 1000, "cached_tokens": 0, "output_tokens": 500, "reasoning_tokens": 0});
    let script_text = json!({"otherwise": {"text": "They rise.", "usage": usage}});
    std::fs::write(&script, script_text.to_string()).unwrap();
    let model = format!("scripted:{}", script.display());
    let settings =
        format!("[routes.writer]\ncandidates = [\"{model}\"]\n[prices.\"{model}\"]\ninput = 2.0\noutput = 8.0\n");
    let file = cluster.folder().join("baton.toml");
    std::fs::write(&file, settings).unwrap();
    let (plane, worker) = (Scraped(free_port().unwrap()), Scraped(free_port().unwrap()));
    cluster.orchestrators[0].env("BATON_HTTP_ADDR", &format!("127.0.0.1:{}", plane.0));
    cluster.workers[0].env("BATON_METRICS_ADDR", &format!("127.0.0.1:{}", worker.0));
    cluster.workers[0].env("BATON_CONFIG", &file.display().to_string());
    (cluster, plane, worker)
}

/// Publishes what is no message of Baton's.
async fn garbage(cluster: &Cluster) {
    let broker = baton_orchestrator::wiring::broker(&format!("{}?queue_type=classic", cluster.broker_url())).unwrap();
    let message = Message {
        queue: "io.normal".into(),
        id: "x".to_owned(),
        body: b"no envelope".to_vec().into(),
        traceparent: None,
    };
    let deadline = Instant::now() + WITHIN;
    while broker.publish(vec![message.clone()]).await != [Published::Confirmed] {
        assert!(Instant::now() < deadline, "the broker takes nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    broker.close().await;
}

/// A process that is scraped at that port.
struct Scraped(u16);

impl Scraped {
    async fn page(&self) -> Page {
        let mut stream = TcpStream::connect(("127.0.0.1", self.0)).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/openmetrics-text"), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        Page::read(body)
    }

    /// Scrapes until the series has that value, or more where it only rises.
    async fn await_value(&self, name: &str, labels: &[&str], value: f64) -> Page {
        let deadline = Instant::now() + WITHIN;
        loop {
            let page = self.page().await;
            let found = page.of(name, labels);
            if found == Some(value) || name.ends_with("_total") && found.is_some_and(|found| found > value) {
                return page;
            }
            assert!(Instant::now() < deadline, "{name} {labels:?} is {found:?} and not {value}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Series by name and the values of their labels.
struct Page(BTreeMap<(String, Vec<String>), f64>);

impl Page {
    fn read(body: &str) -> Self {
        let lines = body.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{"));
        Self(lines.map(series).collect())
    }

    fn of(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0.get(&(name.to_owned(), labels)).copied()
    }
}

fn series(line: &str) -> ((String, Vec<String>), f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
    let values = labels.map(|(_, value)| value.trim_matches('"').to_owned()).collect();
    ((name.to_owned(), values), value.parse().unwrap())
}
