//! One run over three processes and more, as an independent collector saw it: an orchestrator is
//! killed while its job runs, everything is started again while the run waits for a person, and
//! another worker finishes it. The spans lead from the last commit back to the submit.

mod walk;

use baton_control::grpc::Endpoints;
use baton_integration_tests::cluster::{Cluster, ClusterOptions};
use baton_proto::v1;
use baton_proto::v1::runs_client::RunsClient;
use baton_testbed::{CollectedSpan, Collector, free_port};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Request;

use self::walk::{By, Stride, walk, without};
use crate::canaries::outside::Outside;
use crate::patience::{PATIENCE, until};

/// Spans of the client, which the collector never sees.
const SUBMITTER: (&str, &str) = ("5aa7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
const ANSWERER: (&str, &str) = ("5bb7651916cd43dd8448eb211c80319c", "c7ad6b7169203332");

const GRAPH: &str = "
baton: 1
graph: traced
input: { place: string }
output: { said: state.said }
state: { said: { type: string, default: '' } }
start: ask
nodes:
  ask:
    tool: { name: http.request, args: { method: GET, url: '{{ input.place }}' } }
    then: approve
  approve:
    ask: { title: 'Go on?', fields: { ok: boolean } }
    then: say
  say:
    chat: { route: none, user: 'The bridge opened in 1931. When did the bridge open?' }
    save: { said: output.text }
    then: end
";

struct Bed {
    cluster: Cluster,
    collector: Collector,
    outside: Outside,
    /// Where each orchestrator says whether it is ready.
    ports: Vec<u16>,
    _settings: TempDir,
}

/// The numbers of the processes that take part.
#[derive(Debug, Clone, Copy, Default)]
struct Pids {
    first: u32,
    second: u32,
    third: u32,
    worker: u32,
    other: u32,
}

impl Bed {
    /// Nothing runs yet but the servers.
    async fn start() -> Self {
        let options = ClusterOptions { io_workers: 2, cpu_workers: 0, ..ClusterOptions::default() };
        let mut cluster = Cluster::start(&options).await.unwrap();
        let (collector, outside) = (Collector::start(true).unwrap(), Outside::start().await);
        let settings = TempDir::new().unwrap();
        let file = settings.path().join("baton.toml");
        std::fs::write(&file, format!("[egress]\nallow = [\"127.0.0.1:{}\"]\n", outside.port)).unwrap();
        for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
            process.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
            process.env("BATON_CONFIG", &file.display().to_string());
        }
        let ports: Vec<u16> = cluster.orchestrators.iter().map(|_| free_port().unwrap()).collect();
        for (process, port) in cluster.orchestrators.iter_mut().zip(&ports) {
            process.env("BATON_HTTP_ADDR", &format!("127.0.0.1:{port}"));
        }
        Self { cluster, collector, outside, ports, _settings: settings }
    }

    /// Starts an orchestrator; what it publishes from then on it publishes at once.
    async fn start_orchestrator(&mut self, place: usize) -> u32 {
        self.cluster.orchestrators[place].start().unwrap();
        let ready = async || is_ready(self.ports[place]).await.ok().filter(|ready| *ready);
        self.until("an orchestrator that is ready", ready).await;
        self.cluster.orchestrators[place].pid().unwrap()
    }

    fn start_worker(&mut self, place: usize) -> u32 {
        self.cluster.workers[place].start().unwrap();
        self.cluster.workers[place].pid().unwrap()
    }

    fn client(&self, place: usize) -> RunsClient<baton_control::grpc::Carrier> {
        let address = self.cluster.orchestrators[place].address.clone().unwrap();
        RunsClient::new(Endpoints::new(&address, None).unwrap().current().1)
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        until(&self.cluster, what, look).await
    }

    /// The collector's spans, once they are as they should be.
    async fn spans(&self, what: &str, done: impl Fn(&[CollectedSpan]) -> bool) -> Vec<CollectedSpan> {
        self.until(what, async || Some(self.collector.spans().unwrap()).filter(|spans| done(spans))).await
    }

    /// Until that orchestrator says it of the run.
    async fn status(&self, place: usize, run: &str, done: impl Fn(&v1::Run) -> bool) {
        let look = async || {
            let request = v1::GetRunRequest { run_id: run.to_owned() };
            let run = self.client(place).get(request).await.ok()?.into_inner().run?;
            done(&run).then_some(())
        };
        self.until("the run's state", look).await;
    }
}

/// Whether the orchestrator at that port says that it is ready.
async fn is_ready(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

fn traced<T>(message: T, (trace, span): (&str, &str)) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", format!("00-{trace}-{span}-01").parse().unwrap());
    request
}

/// Submitted to the first orchestrator, which dies while the job runs; the second goes on until
/// the run is parked.
async fn until_parked(bed: &mut Bed, pids: &mut Pids) -> String {
    (pids.first, pids.worker) = (bed.start_orchestrator(0).await, bed.start_worker(0));
    let apply = async || bed.cluster.client.apply(GRAPH, &[]).await.ok();
    bed.until("a graph", apply).await;
    let message = v1::SubmitRequest {
        graph: "traced".to_owned(),
        input_json: json!({ "place": bed.outside.url("/slow") }).to_string(),
        request_id: "traced".to_owned(),
        ..Default::default()
    };
    let submit = async || bed.client(0).submit(traced(message.clone(), SUBMITTER)).await.ok();
    let run = bed.until("a run", submit).await.into_inner().run_id;
    bed.until("the job", async || bed.outside.seen("/slow").then_some(())).await;
    // What it did has left it: a process that is killed takes with it what it had not sent.
    let did =
        ["submit", "invoke_workflow traced", "superstep", "commit", "send io.normal", "baton.v1.ControlPlane/Claim"];
    bed.spans("what the first orchestrator did", |spans| did.iter().all(|name| made(spans, name, pids.first))).await;
    bed.cluster.orchestrators[0].kill();
    pids.second = bed.start_orchestrator(1).await;
    bed.outside.release();
    bed.status(1, &run, |run| !run.interrupts.is_empty()).await;
    run
}

/// Everybody is started again, and another worker; then somebody answers.
async fn until_ended(bed: &mut Bed, pids: &mut Pids, run: &str) {
    bed.cluster.workers[0].kill();
    bed.cluster.orchestrators[1].signal(Signal::TERM).unwrap();
    bed.cluster.orchestrators[1].ended(PATIENCE).await.unwrap();
    (pids.third, pids.other) = (bed.start_orchestrator(1).await, bed.start_worker(1));
    let answer = v1::AnswerRequest {
        run_id: run.to_owned(),
        question: "approve".to_owned(),
        decision_json: json!({ "ok": true }).to_string(),
    };
    let answer = async || bed.client(1).answer(traced(answer.clone(), ANSWERER)).await.ok();
    bed.until("an answer", answer).await;
    bed.status(1, run, |run| run.ended_at_ms.is_some()).await;
}

/// From the last commit to the submit.
fn way(pids: Pids) -> Vec<Stride> {
    let hop = |decides: u32, works: u32, tool: &'static str, before: u32| {
        [
            Stride::new(By::Link("caused_by"), "baton.v1.ControlPlane/Resume", decides),
            Stride::new(By::Parent, "resume", works),
            Stride::new(By::Parent, tool, works),
            Stride::new(By::Parent, "baton.v1.ControlPlane/Claim", before),
            Stride::new(By::Parent, "claim", works),
            Stride::new(By::Parent, "wait io.normal", works),
            Stride::new(By::Parent, "send io.normal", before),
            Stride::new(By::Parent, "superstep", before),
            Stride::new(By::Parent, "invoke_workflow traced", before),
        ]
    };
    let Pids { first, second, third, worker, other } = pids;
    let mut way = vec![Stride::new(By::Parent, "superstep", third)];
    way.extend(hop(third, other, "execute_tool chat", third));
    way.push(Stride::new(By::Link("previous_segment"), "superstep", second));
    way.extend(hop(second, worker, "execute_tool http.request", first));
    way.push(Stride::new(By::Parent, "submit", first));
    way
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_lead_from_the_last_commit_back_to_the_submit() {
    let (mut bed, mut pids) = (Bed::start().await, Pids::default());
    let run = until_parked(&mut bed, &mut pids).await;
    let parked = |spans: &[CollectedSpan]| {
        ["baton.v1.ControlPlane/Resume", "superstep", "commit"].iter().all(|name| made(spans, name, pids.second))
            && ["execute_tool http.request", "resume"].iter().all(|name| made(spans, name, pids.worker))
    };
    let spans = bed.spans("the superstep that parks the run", parked).await;
    nothing_is_open(&spans);

    until_ended(&mut bed, &mut pids, &run).await;
    // They send what is left.
    for process in [&mut bed.cluster.orchestrators[1], &mut bed.cluster.workers[1]] {
        process.signal(Signal::TERM).unwrap();
        process.ended(PATIENCE).await.unwrap();
    }
    let last = |spans: &[CollectedSpan]| commits_of(spans, pids.third).len() == 2;
    let spans = bed.spans("the last commit", last).await;
    nothing_is_open(&spans);
    let commits = commits_of(&spans, pids.third);
    let start = commits.iter().max_by_key(|span| span.ended).unwrap();

    let way = way(pids);
    let submit = walk(&spans, start, &way).unwrap_or_else(|why| panic!("{why}\n{spans:#?}"));
    assert_eq!((submit.trace.as_str(), submit.parent.as_str()), SUBMITTER, "the submit is below the client's span");
    let ours = |span: &&CollectedSpan| !span.name.starts_with("answer") && span.attribute("baton.run_id").is_some();
    assert!(spans.iter().filter(ours).all(|span| span.attribute("baton.run_id") == Some(&run)));

    // Nobody's part can be left out.
    let mut from = "commit";
    for stride in &way {
        let cut = without(&spans, from, stride.by);
        let start = cut.iter().find(|span| span.id == start.id).unwrap();
        assert!(walk(&cut, start, &way).is_err(), "the way goes on without what leads from {from} to {}", stride.name);
        from = stride.name;
    }

    // What woke it, and what a model was asked, hang where they belong.
    let woken = spans.iter().find(|span| span.name.starts_with("invoke_workflow") && !span.links.is_empty()).unwrap();
    let answer = walk(&spans, woken, &[Stride::new(By::Link("woken_by"), "answer", pids.third)]).unwrap();
    assert_eq!((answer.trace.as_str(), answer.parent.as_str()), ANSWERER, "the answer is below the client's span");
    assert_ne!(woken.trace, submit.trace, "a segment is a trace of its own");
    let chat = spans.iter().find(|span| span.name.starts_with("chat ")).unwrap();
    walk(&spans, chat, &[Stride::new(By::Parent, "execute_tool chat", pids.other)]).unwrap();
    assert_eq!(chat.attribute("gen_ai.operation.name"), Some("chat"));
}

const ONCE: &str = "
baton: 1
graph: pays
output: { said: state.said }
state: { said: { type: string, default: '' } }
start: pay
nodes:
  pay:
    tool: { name: debug.ledger, effect: once, args: { file: paid, effect: once, ms: 600000 } }
    then: say
  say:
    tool: { name: debug.echo, args: { text: done } }
    save: { said: output.text }
    then: end
";

/// Of a job that may not be done twice the run waits for a person to tell what became of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_a_lost_job_begins_a_segment_of_its_own() {
    let mut bed = Bed::start().await;
    let first = bed.start_orchestrator(0).await;
    bed.start_worker(0);
    bed.until("a graph", async || bed.cluster.client.apply(ONCE, &[]).await.ok()).await;
    let run = bed.cluster.client.submit("pays", &json!({}), "pays").await.unwrap();
    let ledger = bed.cluster.ledger_folder().join("paid");
    bed.until("the job", async || ledger.exists().then_some(())).await;
    bed.cluster.workers[0].kill();
    bed.status(0, &run, |run| !run.interrupts.is_empty()).await;
    let other = bed.start_worker(1);
    let answer = v1::AnswerRequest {
        run_id: run.clone(),
        question: "pay".to_owned(),
        decision_json: json!({ "outcome": "succeeded", "value": {} }).to_string(),
    };
    bed.client(0).answer(traced(answer, ANSWERER)).await.unwrap();
    bed.status(0, &run, |run| run.ended_at_ms.is_some()).await;

    let ended =
        |spans: &[CollectedSpan]| commits_of(spans, first).len() == 3 && made(spans, "execute_tool debug.echo", other);
    let spans = bed.spans("the last commit", ended).await;
    let woken = spans.iter().find(|span| span.name == "invoke_workflow pays" && !span.links.is_empty()).unwrap();
    assert_eq!(woken.parent, "", "a segment is a trace of its own");
    let answer = walk(&spans, woken, &[Stride::new(By::Link("woken_by"), "answer", first)]).unwrap();
    assert_eq!((answer.trace.as_str(), answer.parent.as_str()), ANSWERER);
    let before = walk(&spans, woken, &[Stride::new(By::Link("previous_segment"), "superstep", first)]).unwrap();
    assert_ne!(before.trace, woken.trace);
    // What follows is of that segment.
    let tool = spans.iter().find(|span| span.name == "execute_tool debug.echo").unwrap();
    assert_eq!(tool.trace, woken.trace);
    let folding = |span: &&CollectedSpan| span.name == "superstep" && span.attribute("baton.reason") == Some("closed");
    let folding: Vec<&CollectedSpan> = spans.iter().filter(folding).collect();
    assert!(folding.len() == 2 && folding.iter().all(|span| span.trace == woken.trace), "{folding:#?}");
}

/// The commits of that process.
fn commits_of(spans: &[CollectedSpan], pid: u32) -> Vec<&CollectedSpan> {
    let own = |span: &&CollectedSpan| span.name == "commit" && span.attribute("process.pid") == Some(&pid.to_string());
    spans.iter().filter(own).collect()
}

/// Whether that process made such a span.
fn made(spans: &[CollectedSpan], name: &str, pid: u32) -> bool {
    spans.iter().any(|span| span.name == name && span.attribute("process.pid") == Some(&pid.to_string()))
}

/// Whatever is a parent has ended too, but for those of the client.
fn nothing_is_open(spans: &[CollectedSpan]) {
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        let theirs = [SUBMITTER, ANSWERER].contains(&(span.trace.as_str(), span.parent.as_str()));
        let ended = spans.iter().any(|other| (&other.trace, &other.id) == (&span.trace, &span.parent));
        assert!(theirs || ended, "the parent of {} is open or lost\n{spans:#?}", span.name);
    }
}
