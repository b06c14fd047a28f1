//! Secrets and contents that no log, span or message may hold: each is a word of its own,
//! put in where its kind comes in, and looked for everywhere once runs have succeeded,
//! failed, been spooled and been told at the level `debug`.
//!
//! A secret may lie nowhere. What a run was told and what it was answered may lie where runs
//! are kept, and only there.

mod collector;
pub(crate) mod outside;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use baton_control::grpc::Endpoints;
use baton_integration_tests::cluster::{Cluster, ClusterOptions, program};
use baton_proto::v1;
use baton_proto::v1::graphs_client::GraphsClient;
use baton_proto::v1::runs_client::RunsClient;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::collector::Collector;
use self::outside::Outside;
use crate::patience::{PATIENCE, until};
use crate::tap::Tap;

const API_KEY: &str = "canary-api-key-51c07e";
const CLUSTER_SECRET: &str = "canary-cluster-secret-9d02af";
const ROUTE_KEY: &str = "canary-route-key-77be31";
const TOOL_SECRET: &str = "canary-tool-secret-3fa9c4";
const SECRETS: [&str; 4] = [API_KEY, CLUSTER_SECRET, ROUTE_KEY, TOOL_SECRET];

/// What runs are told, and what a model answers.
const PROMPT: &str = "canary-prompt-e840d2";
const REPLY: &str = "canary-reply-c61b75";
const CONTENTS: [&str; 2] = [PROMPT, REPLY];

const GRAPH: &str = "
baton: 1
graph: GRAPH
input: { prompt: string, place: string }
output: { reply: state.reply, status: state.status }
state: { reply: { type: string, default: '' }, status: { type: integer, default: 0 } }
start: say
nodes:
  say:
    chat: { route: ROUTE, user: '{{ input.prompt }}' }
    save: { reply: output.text }
    retry: { attempts: 1 }
    then: ask
  ask:
    tool:
      name: http.request
      args: { method: GET, url: '{{ input.place }}', headers: { x-token: '{{ secret.token }}' } }
    save: { status: output.status }
    then: end
";

fn graph(name: &str, route: &str) -> String {
    GRAPH.replace("GRAPH", name).replace("ROUTE", route)
}

/// Everything that was found, by where.
#[derive(Default)]
struct Found(Vec<(String, Vec<u8>)>);

impl Found {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file beneath a folder.
    fn add_files(&mut self, kind: &str, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match std::fs::metadata(entry.path()) {
                Ok(about) if about.is_dir() => self.add_files(kind, &entry.path()),
                Ok(_) => self
                    .add(format!("{kind} {}", entry.path().display()), std::fs::read(entry.path()).unwrap_or_default()),
                Err(_) => {}
            }
        }
    }

    /// Places of that kind which hold that word.
    fn holding(&self, kind: &str, word: &str) -> Vec<&str> {
        let holds = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        let places = self.0.iter().filter(|(place, bytes)| place.starts_with(kind) && holds(bytes));
        places.map(|(place, _)| place.as_str()).collect()
    }
}

struct Bed {
    cluster: Cluster,
    outside: Outside,
    collector: Collector,
    endpoints: Endpoints,
    _settings: TempDir,
}

impl Bed {
    async fn start() -> Self {
        let options = ClusterOptions { orchestrators: 1, cpu_workers: 1, ..ClusterOptions::default() };
        let mut cluster = Cluster::start(&options).await.unwrap();
        let (outside, collector) = (Outside::start().await, Collector::start().await);
        let settings = TempDir::new().unwrap();
        let file = settings_file(settings.path(), outside.port);
        for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
            for (name, value) in environment() {
                process.env(name, value);
            }
            process.env("BATON_CONFIG", &file.display().to_string());
            process.env("BATON_LOG", "debug");
            process.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
            process.start().unwrap();
        }
        let address = cluster.orchestrators[0].address.clone().unwrap();
        let endpoints = Endpoints::new(&address, Some(API_KEY)).unwrap();
        let bed = Self { cluster, outside, collector, endpoints, _settings: settings };
        for (name, route) in [("telling", "writer"), ("refused", "refuser")] {
            let request = v1::ApplyGraphRequest { source: graph(name, route), ..Default::default() };
            let apply = async || GraphsClient::new(bed.endpoints.current().1).apply(request.clone()).await.ok();
            bed.until("a graph is taken", apply).await;
        }
        bed
    }

    async fn submit(&self, graph: &str, place: &str) -> String {
        let request = v1::SubmitRequest {
            graph: graph.to_owned(),
            input_json: json!({ "prompt": format!("say {PROMPT}"), "place": place }).to_string(),
            ..Default::default()
        };
        let submit = async || RunsClient::new(self.endpoints.current().1).submit(request.clone()).await.ok();
        self.until("a run is taken", submit).await.into_inner().run_id
    }

    /// How a run ended: its status, and why if it failed.
    async fn ended(&self, run: &str) -> (String, String) {
        let request = v1::GetRunRequest { run_id: run.to_owned() };
        let look = async || {
            let answer = RunsClient::new(self.endpoints.current().1).get(request.clone()).await.ok()?;
            let run = answer.into_inner().run?;
            let status = run.status().as_str_name().to_lowercase();
            ["succeeded", "failed", "cancelled"].iter().any(|end| status.ends_with(end)).then_some(run)
        };
        let run = self.until("an end", look).await;
        let status = run.status().as_str_name().to_lowercase();
        (status.rsplit('_').next().unwrap_or_default().to_owned(), format!("{run:?}"))
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        until(&self.cluster, what, look).await
    }

    /// A result that nobody took: what the spool held of it.
    async fn spooled(&mut self, found: &mut Found) {
        let run = self.submit("telling", &self.outside.url("/slow")).await;
        self.until("the slow call", async || self.outside.seen("/slow").then_some(())).await;
        self.cluster.orchestrators[0].kill();
        self.outside.release();
        let folder = self.cluster.folder().join("worker-io-0/spool-io");
        let spooled = async || {
            let mut spool = Found::default();
            spool.add_files("spool", &folder);
            spool.0.retain(|(_, bytes)| !bytes.is_empty());
            (!spool.0.is_empty()).then_some(spool)
        };
        found.0.extend(self.until("a result in the spool", spooled).await.0);
        self.cluster.orchestrators[0].start().unwrap();
        assert_eq!(self.ended(&run).await.0, "succeeded");
    }
}

/// Secrets as programs are told them.
fn environment() -> [(&'static str, &'static str); 4] {
    [
        ("BATON_API_KEY", API_KEY),
        ("BATON_CLUSTER_SECRET", CLUSTER_SECRET),
        ("BATON_TEST_ROUTE_KEY", ROUTE_KEY),
        ("BATON_TEST_TOOL_SECRET", TOOL_SECRET),
    ]
}

fn settings_file(folder: &Path, port: u16) -> PathBuf {
    let text = format!(
        "[egress]\nallow = [\"127.0.0.1:{port}\"]\n[secrets]\ntoken = \"env:BATON_TEST_TOOL_SECRET\"\n\
         [routes.writer]\ncandidates = [\"good/m\"]\n[routes.refuser]\ncandidates = [\"bad/m\"]\n\
         [providers.good]\nbase_url = \"http://127.0.0.1:{port}/good/v1\"\nkey = \"env:BATON_TEST_ROUTE_KEY\"\n\
         [providers.bad]\nbase_url = \"http://127.0.0.1:{port}/bad/v1\"\nkey = \"env:BATON_TEST_ROUTE_KEY\"\n"
    );
    let file = folder.join("baton.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_lies_anywhere_and_no_content_lies_beside_the_runs() {
    let mut bed = Bed::start().await;
    let tap = Tap::on(&bed.cluster, "io.normal").await;
    let told = bed.submit("telling", &bed.outside.url(&format!("/ok?say={PROMPT}"))).await;
    let (status, run) = bed.ended(&told).await;
    assert!(status == "succeeded" && run.contains(REPLY), "{run}\n{}", bed.cluster.logs());
    let sent = bed.outside.requests();
    for secret in [ROUTE_KEY, TOOL_SECRET] {
        assert!(sent.contains(secret), "{secret} did not arrive where it belongs: {sent}");
    }
    // A server that quotes key and prompt in its refusal, and a place that may not be asked.
    let refused = bed.submit("refused", &bed.outside.url("/ok")).await;
    let (status, run) = bed.ended(&refused).await;
    assert!(status == "failed" && run.contains("model_key_refused"), "{run}");
    let forbidden = bed.submit("telling", &format!("http://127.0.0.1:1/?say={PROMPT}")).await;
    let (status, run) = bed.ended(&forbidden).await;
    assert!(status == "failed" && run.contains("egress_refused"), "{run}");

    let mut found = Found::default();
    bed.spooled(&mut found).await;
    bed.until("spans", async || (bed.collector.count() > 0).then_some(())).await;
    // Every process says its last words, and sends its last spans.
    for process in bed.cluster.orchestrators.iter_mut().chain(&mut bed.cluster.workers) {
        process.signal(rustix::process::Signal::TERM).unwrap();
        process.ended(PATIENCE).await.unwrap();
    }
    for process in bed.cluster.orchestrators.iter().chain(&bed.cluster.workers) {
        found.add(format!("log {}", process.name), process.log());
    }
    found.add("spans", bed.collector.bytes());
    let mut messages = 0;
    while let Some(body) = tap.copy().await {
        messages += 1;
        found.add(format!("message {messages}"), body);
    }
    bed.cluster.redis.kill();
    found.add_files("redis", bed.cluster.redis.folder());
    found.add_files("blobs", &bed.cluster.blobs_folder());
    for worker in ["worker-io-0", "worker-cpu-0"] {
        found.add_files("data", &bed.cluster.folder().join(worker));
    }

    for secret in SECRETS {
        assert_eq!(found.holding("", secret), [""; 0], "{secret}");
    }
    for content in CONTENTS {
        for kind in ["log", "spans", "message", "data"] {
            assert_eq!(found.holding(kind, content), [""; 0], "{content}");
        }
        assert!(!found.holding("redis", content).is_empty(), "the search finds nothing that it should: {content}");
    }
    assert!(messages >= 7 && !found.holding("spool", "status").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_cluster_keeps_no_secret_in_its_folder_and_tells_none() {
    let outside = Outside::start().await;
    let folder = TempDir::new().unwrap();
    let (file, data) = (settings_file(folder.path(), outside.port), folder.path().join("data"));
    let mut found = Found::default();
    for (name, route, place) in [
        ("telling", "writer", outside.url("/ok")),
        ("refused", "refuser", outside.url("/ok")),
        ("telling", "writer", "http://127.0.0.1:1/".to_owned()),
    ] {
        let graph_file = folder.path().join("graph.yaml");
        std::fs::write(&graph_file, graph(name, route)).unwrap();
        let input: Value = json!({ "prompt": PROMPT, "place": place });
        let command = Command::new(program("baton").unwrap())
            .args(["run", "--json"])
            .arg(&graph_file)
            .args(["--input", &input.to_string(), "--data-dir"])
            .arg(&data)
            .env_clear()
            .envs(environment())
            .env("BATON_CONFIG", &file)
            .env("BATON_LOG", "debug")
            .stdin(Stdio::null())
            .output();
        let output = command.unwrap();
        found.add(format!("stdout {name} {place}"), output.stdout);
        found.add(format!("stderr {name} {place}"), output.stderr);
    }
    assert!(
        outside.requests().contains(TOOL_SECRET),
        "{:?}",
        found.0.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect::<Vec<_>>()
    );
    found.add_files("data", &data);
    for secret in SECRETS {
        assert_eq!(found.holding("", secret), [""; 0], "{secret}");
    }
    assert!(!found.holding("data", PROMPT).is_empty(), "the search finds nothing that it should");
    assert!(!found.holding("data", REPLY).is_empty(), "the search finds nothing that it should");
}
