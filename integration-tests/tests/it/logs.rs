//! The log lines of real processes: whatever is about a run or a job carries its ids, under the
//! same names on both planes, in the trace that a collector has of it. A job fails and is tried
//! again, a lease is lost, somebody answers.

use std::collections::{BTreeMap, BTreeSet};

use baton_integration_tests::cluster::{Cluster, ClusterOptions, Process};
use baton_testbed::{CollectedSpan, Collector};
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use crate::patience::{PATIENCE, until};

const GRAPH: &str = "
baton: 1
graph: told
output: { said: state.said }
state: { said: { type: integer, default: 0 } }
start: fails
nodes:
  fails:
    tool: { name: debug.fail, args: { class: transient, code: busy, times: 1, retry_after_ms: 10 } }
    retry: { attempts: 2 }
    then: held
  held:
    tool: { name: debug.ledger, args: { file: held, effect: idempotent, ms: 8000 } }
    then: approve
  approve:
    ask: { title: 'Go on?', fields: { ok: boolean } }
    then: says
  says:
    tool: { name: debug.echo, args: { value: 7 } }
    save: { said: '7' }
    then: end
";

/// What must have been said, by whom, how often at least.
const SAID: [(&str, &str, usize); 13] = [
    ("orchestrator", "run submitted", 1),
    ("orchestrator", "superstep", 5),
    ("orchestrator", "job granted", 5),
    ("orchestrator", "attempt failed", 1),
    ("orchestrator", "lease expired", 1),
    ("orchestrator", "attempt succeeded", 3),
    ("orchestrator", "question answered", 1),
    ("orchestrator", "run ended", 1),
    ("worker", "attempt begins", 5),
    ("worker", "attempt failed", 1),
    ("worker", "job told to stop", 1),
    ("worker", "outcome final", 4),
    ("worker", "worker ready", 2),
];

/// Lines about a job while nobody works on it: they are of no attempt.
const OF_NO_ATTEMPT: [&str; 5] =
    ["lease expired", "message believed lost", "message dropped", "dead letter", "publish unconfirmed"];

/// A line, and whose it is.
struct Line {
    program: &'static str,
    members: Map<String, Value>,
    text: String,
}

impl Line {
    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    fn is(&self, message: &str) -> bool {
        self.text("message") == Some(message)
    }

    fn attempt(&self) -> Option<u64> {
        self.members.get("attempt").and_then(Value::as_u64)
    }
}

struct Bed {
    cluster: Cluster,
    collector: Collector,
}

impl Bed {
    async fn start() -> Self {
        let options = ClusterOptions { orchestrators: 1, io_workers: 2, cpu_workers: 0, ..ClusterOptions::default() };
        let mut cluster = Cluster::start(&options).await.unwrap();
        let collector = Collector::start(true).unwrap();
        for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
            process.env("BATON_LOG", "debug");
            process.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
        }
        Self { cluster, collector }
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        until(&self.cluster, what, look).await
    }

    async fn until_said(&self, process: &Process, message: &str) {
        let said = async || lines_of(process).iter().any(|line| line.is(message)).then_some(());
        self.until(message, said).await;
    }

    /// The first worker fails a job and then holds one until its lease is lost; the second one
    /// does the rest.
    async fn run(&mut self) -> String {
        self.cluster.orchestrators[0].start().unwrap();
        self.cluster.workers[0].start().unwrap();
        // Until the worker is known with its tools.
        self.until("a graph", async || self.cluster.client.apply(GRAPH, &[]).await.ok()).await;
        let run = self.cluster.client.submit("told", &json!({}), "told").await.unwrap();
        let ledger = self.cluster.ledger_folder().join("held");
        self.until("the job that is held", async || ledger.exists().then_some(())).await;
        self.cluster.workers[0].freeze().unwrap();
        self.until_said(&self.cluster.orchestrators[0], "lease expired").await;
        self.cluster.workers[0].thaw().unwrap();
        self.until_said(&self.cluster.workers[0], "job told to stop").await;
        self.cluster.workers[1].start().unwrap();
        let asked = self.cluster.client.settled(&run, PATIENCE).await.unwrap();
        assert_eq!(asked.asks, ["approve"], "{asked:?}");
        self.cluster.client.answer(&run, "approve", &json!({ "ok": true })).await.unwrap();
        let ended = self.cluster.client.settled(&run, PATIENCE).await.unwrap();
        assert_eq!(ended.status, "succeeded", "{ended:?}");
        for process in self.cluster.orchestrators.iter_mut().chain(&mut self.cluster.workers) {
            process.signal(Signal::TERM).unwrap();
            process.ended(PATIENCE).await.unwrap();
        }
        run
    }

    fn lines(&self) -> Vec<Line> {
        self.cluster.orchestrators.iter().chain(&self.cluster.workers).flat_map(lines_of).collect()
    }

    /// Spans of the run, once the last attempt's is there.
    async fn spans(&self) -> Vec<CollectedSpan> {
        let all = async || {
            let spans = self.collector.spans().unwrap();
            let last =
                |span: &CollectedSpan| span.name.starts_with("execute") && span.attribute("baton.node") == Some("says");
            spans.iter().any(last).then_some(spans)
        };
        self.until("the last attempt's span", all).await
    }
}

/// Every line of a process, each an object of its own.
fn lines_of(process: &Process) -> Vec<Line> {
    let program = if process.name.starts_with("worker") { "worker" } else { "orchestrator" };
    let text = process.log();
    // Whatever follows the last end of a line is being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |text: &str| {
        let members = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {}: {text}", process.name));
        Line { program, members, text: text.to_owned() }
    };
    whole.lines().map(line).collect()
}

/// What is missing in a line that is about a job or a run.
fn missing(line: &Line, run: &str) -> Vec<&'static str> {
    let (job, of_run) = (line.members.contains_key("job"), line.text.contains(run));
    let attempt = job && !OF_NO_ATTEMPT.iter().any(|message| line.is(message));
    let needed = [("run", of_run || job), ("thread", of_run || job), ("trace_id", of_run || job), ("node", job)];
    let texts = needed.into_iter().filter(|(name, needed)| *needed && line.text(name).is_none_or(str::is_empty));
    let number = [("attempt", attempt)].into_iter().filter(|(_, needed)| *needed && line.attempt().is_none());
    texts.chain(number).map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_about_a_run_or_a_job_carries_its_ids() {
    let mut bed = Bed::start().await;
    let run = bed.run().await;
    let lines = bed.lines();
    let said =
        |program: &str, message: &str| lines.iter().filter(|line| line.program == program && line.is(message)).count();
    for (program, message, times) in SAID {
        assert!(said(program, message) >= times, "{program} said {message:?} {} times", said(program, message));
    }
    for line in lines.iter().filter(|line| line.text("target").is_some_and(|target| target.starts_with("baton"))) {
        assert_eq!(missing(line, &run), [""; 0], "in {}", line.text);
        let job = line.text("job");
        assert!(
            job.is_none_or(|job| job.starts_with(&run)) && line.text("run").is_none_or(|own| own == run),
            "{}",
            line.text
        );
    }
    let threads: BTreeSet<&str> = lines.iter().filter_map(|line| line.text("thread")).collect();
    assert_eq!(threads.len(), 1, "{threads:?}");

    // Each try says its own number, on both sides.
    let tries = |program: &str, message: &str| -> BTreeSet<(String, u64)> {
        let of = lines.iter().filter(|line| line.program == program && line.is(message));
        of.filter_map(|line| Some((line.text("node")?.to_owned(), line.attempt()?))).collect()
    };
    let (begun, granted) = (tries("worker", "attempt begins"), tries("orchestrator", "job granted"));
    assert!(begun.is_subset(&granted), "{begun:?} are not all of {granted:?}");
    // A machine that is short of time may lose further leases.
    for (node, attempt) in [("fails", 1), ("fails", 2), ("held", 1), ("held", 2), ("says", 1)] {
        assert!(begun.contains(&(node.to_owned(), attempt)), "{node} {attempt} is not among {begun:?}");
    }
    let stopped = tries("worker", "job told to stop");
    assert!(stopped.contains(&("held".to_owned(), 1)), "{stopped:?}");

    // And the trace it belongs to.
    let spans = bed.spans().await;
    let attempts = spans.iter().filter(|span| span.name.starts_with("execute_tool"));
    let of_jobs: BTreeMap<&str, &str> =
        attempts.filter_map(|span| Some((span.attribute("baton.job_id")?, span.trace.as_str()))).collect();
    let of_run: BTreeSet<&str> = spans.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!((of_jobs.len(), of_run.len()), (3, 3), "a trace before the answer, its own, and one behind it");
    for line in &lines {
        if let Some(job) = line.text("job") {
            assert_eq!(line.text("trace_id"), of_jobs.get(job).copied(), "{}", line.text);
        } else if let Some(trace) = line.text("trace_id") {
            assert!(of_run.contains(trace), "{}", line.text);
        }
    }
}
