//! A result of 100 MB from one end to the other, on every way that it may take: nobody ever holds
//! it in memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use baton_common::settings::Timings;
use baton_embedded::{Embedded, Options};
use baton_integration_tests::cluster::{Cluster, ClusterOptions, Process};
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, SubmitRequest};
use baton_testbed::{S3, free_port};
use baton_worker::config::ToolSwitches;
use serde_json::{Value, json};

const GRAPH: &str = "
baton: 1
graph: large
input: { bytes: integer, path: string }
output: { doc: state.doc, counted: state.counted, file: state.file }
state: { doc: object, counted: { type: integer, default: 0 }, file: { type: integer, default: 0 } }
start: make
nodes:
  make:
    tool: { name: debug.large, args: { bytes: '{{ input.bytes }}' } }
    save: { doc: output }
    then: count
  count:
    tool: { name: debug.large, args: { count: '{{ state.doc }}' } }
    save: { counted: output.bytes }
    then: keep
  keep:
    tool: { name: debug.large, args: { bytes: '{{ input.bytes }}', artifact: '{{ input.path }}' } }
    save: { file: output.bytes }
    then: end
";

const BYTES: u64 = 100_000_000;
/// What is not read into its place either.
const SMALLER: u64 = 20_000_000;
const CAP: u64 = 110_000_000;
const GROWTH_MAX: u64 = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(240);

/// How a worker reaches the blob store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// A folder that it shares with the orchestrator.
    Shared,
    /// Not at all: through the orchestrator.
    Through,
    /// Signed addresses of a bucket for which it has no credentials.
    Signed,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_in_nobodys_memory_in_a_shared_folder() {
    travels(Reach::Shared).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_in_nobodys_memory_through_an_orchestrator() {
    travels(Reach::Through).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_in_nobodys_memory_at_signed_addresses() {
    travels(Reach::Signed).await;
}

async fn travels(reach: Reach) {
    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::start(&options).await.unwrap();
    let http = free_port().unwrap();
    cluster.orchestrators[0].env("BATON_HTTP_ADDR", &format!("127.0.0.1:{http}"));
    cluster.workers[0].env("BATON_BLOB_BYTES_MAX", &CAP.to_string());
    let bucket = (reach == Reach::Signed).then(|| S3::start("large").unwrap());
    match (&bucket, reach) {
        (Some(bucket), _) => {
            let orchestrator = &mut cluster.orchestrators[0];
            orchestrator.env("BATON_BLOBS", &format!("s3://large/of/baton?endpoint={}&region=us-east-1", bucket.url()));
            orchestrator.env("AWS_ACCESS_KEY_ID", "test");
            orchestrator.env("AWS_SECRET_ACCESS_KEY", "test");
        }
        (None, Reach::Shared) => {
            let folder = format!("file:{}", cluster.blobs_folder().display());
            cluster.workers[0].env("BATON_BLOBS", &folder);
        }
        _ => {}
    }
    cluster.run_all().await.unwrap();
    cluster.client.apply(GRAPH, &[]).await.unwrap();
    // What a process takes for its first small job is none of a large one's.
    let small = run(&cluster, SMALLER).await;
    assert_eq!(small.0, "succeeded", "{}", cluster.logs());
    let before = [peak(&cluster.orchestrators[0]), peak(&cluster.workers[0])];
    let (status, output, _, run_id) = run(&cluster, BYTES).await;
    assert_eq!(status, "succeeded", "{}", cluster.logs());
    let output = output.unwrap();
    assert_eq!((&output["counted"], &output["file"]), (&json!(BYTES), &json!(BYTES)));
    assert_eq!(output["doc"]["$blob"]["bytes"], json!(BYTES), "an expression passes it on");
    assert_eq!(downloaded(http, &run_id), BYTES);
    let after = [peak(&cluster.orchestrators[0]), peak(&cluster.workers[0])];
    for (who, (before, after)) in ["orchestrator", "worker"].iter().zip(before.iter().zip(after)) {
        // The kernel counts a little loosely.
        let grown = after.saturating_sub(*before);
        println!("{reach:?}: {who} grew by {} KiB from {} KiB", grown / 1024, before / 1024);
        assert!(grown <= GROWTH_MAX, "{reach:?}: the {who} grew by {grown} bytes");
    }
    // Nobody but an orchestrator that had to do so saw it pass.
    let passed = cluster.logs().contains("through the control plane");
    assert!(!passed, "{}", cluster.logs());
    let (status, _, failure, _) = run(&cluster, CAP + 1).await;
    assert_eq!(status, "failed");
    assert!(failure.contains("result_too_large"), "{failure}");
}

async fn run(cluster: &Cluster, bytes: u64) -> (String, Option<Value>, String, String) {
    let input = json!({ "bytes": bytes, "path": "kept.txt" });
    let run = cluster.client.submit("large", &input, &format!("large-{bytes}")).await.unwrap();
    let seen = cluster.client.settled(&run, PATIENCE).await.unwrap();
    (seen.status, seen.output, seen.failure.unwrap_or_default(), run)
}

/// The most memory a process ever had, in bytes.
fn peak(process: &Process) -> u64 {
    let pid = process.pid().unwrap();
    peak_of(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap())
}

fn peak_of(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Bytes of the file as HTTP hands it out.
fn downloaded(port: u16, run: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET /v1/runs/{run}/artifact?path=kept.txt HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let (mut read, mut head, mut piece) = (0, Vec::new(), vec![0; 1 << 16]);
    loop {
        let count = stream.read(&mut piece).unwrap();
        if count == 0 {
            return read;
        }
        let mut body = &piece[..count];
        if read == 0 && !head.ends_with(b"\r\n\r\n") {
            let before = head.len();
            head.extend_from_slice(body);
            let end = head.windows(4).position(|four| four == b"\r\n\r\n").map(|place| place + 4);
            head.truncate(end.unwrap_or(head.len()));
            assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
            body = &body[head.len() - before..];
        }
        read += body.len() as u64;
    }
}

/// In a process of its own, so that what it takes is its own.
#[test]
fn a_large_result_is_in_nobodys_memory_in_one_process() {
    const CHILD: &str = "BATON_TEST_LARGE_CHILD";
    if std::env::var_os(CHILD).is_some() {
        tokio::runtime::Runtime::new().unwrap().block_on(embedded());
        return;
    }
    let name = "large::a_large_result_is_in_nobodys_memory_in_one_process";
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output();
    let output = output.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("grew by"), "{said}");
    println!("{said}");
}

async fn embedded() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        data_dir: Some(folder.path().to_owned()),
        timings: Timings::default(),
        switches: ToolSwitches { debug_tools: true, ..ToolSwitches::default() },
        ..Options::default()
    };
    let cluster = Embedded::start(options).await.unwrap();
    let ask = async |bytes: u64| {
        let source = GraphSource { name: "large.yaml".to_owned(), text: GRAPH.to_owned(), ..GraphSource::default() };
        let request = SubmitRequest {
            graph: GraphRef::Source(source),
            input: json!({ "bytes": bytes, "path": "kept.txt" }),
            request_id: None,
            thread: None,
            traceparent: None,
            record: false,
        };
        let run = cluster.api().submit(&Caller::local(), request).await.unwrap().run;
        tokio::time::timeout(PATIENCE, async {
            loop {
                let seen = cluster.api().get(&Caller::local(), run).await.unwrap();
                if let Some(output) = seen.output {
                    return output;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap()
    };
    ask(SMALLER).await;
    let own = || peak_of(&std::fs::read_to_string("/proc/self/status").unwrap());
    let before = own();
    assert_eq!(ask(BYTES).await["counted"], json!(BYTES));
    let grown = own().saturating_sub(before);
    println!("one process grew by {} KiB from {} KiB", grown / 1024, before / 1024);
    assert!(grown <= GROWTH_MAX, "it grew by {grown} bytes");
    cluster.stop().await;
}
