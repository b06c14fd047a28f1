//! A client as a user's program would write it: over gRPC, against several orchestrators,
//! repeating what may be repeated.

use std::error::Error as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_proto::v1::graphs_client::GraphsClient;
use baton_proto::v1::operate_client::OperateClient;
use baton_proto::v1::runs_client::RunsClient;
use baton_proto::v1::{
    AnswerRequest, ApplyGraphRequest, CancelRequest, Event, GetRunRequest, Include, Run, SubmitRequest, WatchRequest,
    WorkersRequest, watch_response::Item,
};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a client repeats a call before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run as a test looks at it.
#[derive(Debug, Clone)]
pub struct RunSeen {
    /// `succeeded`, `waiting`, ….
    pub status: String,
    /// The output, once it succeeded.
    pub output: Option<Value>,
    /// `node: code: message`, once it failed.
    pub failure: Option<String>,
    /// Nodes that ask.
    pub asks: Vec<String>,
}

/// One thing that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Its number.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `claimed`, `recorded`, ….
    pub kind: String,
    /// `extract#1`.
    pub group: String,
    /// Which index.
    pub index: Option<u32>,
    /// A fence, a checkpoint or a count.
    pub number: u64,
    /// A status, a code or a tool.
    pub text: String,
}

/// A client of the cluster.
#[derive(Clone)]
pub struct Client {
    channels: Vec<Channel>,
}

macro_rules! until_answered {
    ($self:ident, $client:ident, $call:ident, $request:expr) => {{
        let started = Instant::now();
        let mut turn = 0;
        loop {
            let channel = $self.channels[turn % $self.channels.len()].clone();
            turn += 1;
            let request = tonic::Request::new($request);
            match tokio::time::timeout(Duration::from_secs(10), $client::new(channel).$call(request)).await {
                Ok(Ok(answer)) => break Ok(answer.into_inner()),
                Ok(Err(status)) if !is_unanswered(&status) => {
                    break Err(anyhow::anyhow!("{}: {}", stringify!($call), status));
                }
                _ if started.elapsed() > PATIENCE => {
                    break Err(anyhow::anyhow!("{}: nobody answered", stringify!($call)));
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }};
}

impl Client {
    /// A client of these addresses: `http://127.0.0.1:7420`.
    ///
    /// # Errors
    /// When one is no address.
    pub fn new(addresses: &[String]) -> anyhow::Result<Self> {
        let channel = |address: &String| -> anyhow::Result<Channel> {
            let endpoint = Endpoint::from_shared(address.clone())?.connect_timeout(Duration::from_secs(2));
            Ok(endpoint.connect_lazy())
        };
        Ok(Self { channels: addresses.iter().map(channel).collect::<Result<_, _>>()? })
    }

    /// Applies a graph; `includes` are the texts it names.
    ///
    /// # Errors
    /// When it is not valid, or nobody answers.
    pub async fn apply(&self, source: &str, includes: &[(String, String)]) -> anyhow::Result<String> {
        let includes: Vec<Include> =
            includes.iter().map(|(path, text)| Include { path: path.clone(), text: text.clone() }).collect();
        let request = ApplyGraphRequest { source: source.to_owned(), includes, origin: "test.yaml".to_owned() };
        let answer = until_answered!(self, GraphsClient, apply, request.clone())?;
        Ok(answer.graph.context("a graph")?.name)
    }

    /// Submits a run of an applied graph.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn submit(&self, graph: &str, input: &Value, request_id: &str) -> anyhow::Result<String> {
        let request = SubmitRequest {
            graph: graph.to_owned(),
            input_json: input.to_string(),
            request_id: request_id.to_owned(),
            ..SubmitRequest::default()
        };
        Ok(until_answered!(self, RunsClient, submit, request.clone())?.run_id)
    }

    /// One run.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub async fn get(&self, run: &str) -> anyhow::Result<RunSeen> {
        let request = GetRunRequest { run_id: run.to_owned() };
        let run = until_answered!(self, RunsClient, get, request.clone())?.run.context("a run")?;
        seen(&run)
    }

    /// Answers the open question of a node.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn answer(&self, run: &str, node: &str, decision: &Value) -> anyhow::Result<()> {
        let request =
            AnswerRequest { run_id: run.to_owned(), question: node.to_owned(), decision_json: decision.to_string() };
        until_answered!(self, RunsClient, answer, request.clone())?;
        Ok(())
    }

    /// Asks a run to stop.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn cancel(&self, run: &str) -> anyhow::Result<()> {
        let request = CancelRequest { run_id: run.to_owned() };
        until_answered!(self, RunsClient, cancel, request.clone())?;
        Ok(())
    }

    /// How many workers of a class announced themselves.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn workers(&self, class: &str) -> anyhow::Result<usize> {
        let request = WorkersRequest {};
        let workers = until_answered!(self, OperateClient, workers, request)?.workers;
        Ok(workers.iter().filter(|worker| worker.class == class).count())
    }

    /// Ids of the workers that announced themselves, each with its host and process id.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn worker_places(&self) -> anyhow::Result<Vec<(String, String)>> {
        let workers = until_answered!(self, OperateClient, workers, WorkersRequest {})?.workers;
        Ok(workers.into_iter().map(|worker| (worker.id, worker.place)).collect())
    }

    /// Waits until the run has ended or asks.
    ///
    /// # Errors
    /// When it does neither in that time.
    pub async fn settled(&self, run: &str, within: Duration) -> anyhow::Result<RunSeen> {
        let started = Instant::now();
        loop {
            let seen = self.get(run).await?;
            if matches!(seen.status.as_str(), "succeeded" | "failed" | "cancelled" | "stuck") || !seen.asks.is_empty() {
                return Ok(seen);
            }
            if started.elapsed() > within {
                bail!("run {run} is {} after {within:?}", seen.status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The events of a run that has ended.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn events(&self, run: &str) -> anyhow::Result<Vec<Happened>> {
        let mut events = Vec::new();
        self.follow(run, 0, |event| events.push(event)).await?;
        Ok(events)
    }

    /// Hands over the events behind `after` as they come; whether the run has ended, or else
    /// the stream.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn follow(&self, run: &str, after: u64, mut on: impl FnMut(Happened)) -> anyhow::Result<bool> {
        let request = WatchRequest { run_id: run.to_owned(), after, state: false };
        let mut stream = until_answered!(self, RunsClient, watch, request.clone())?;
        while let Some(item) = stream.message().await? {
            match item.item {
                Some(Item::Event(event)) => on(happened(event)),
                Some(Item::Ended(_)) => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }
}

/// Whether nobody answered. `Cancelled` with a cause is the transport's: the connection ended
/// while the call waited on it, as when the server dies between the two.
fn is_unanswered(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Unknown => true,
        Code::Cancelled => status.source().is_some(),
        _ => false,
    }
}

fn seen(run: &Run) -> anyhow::Result<RunSeen> {
    let status = run.status().as_str_name().trim_start_matches("RUN_STATUS_").to_lowercase();
    let output = run.output_json.as_deref().map(serde_json::from_str).transpose()?;
    let failure = run.failure.as_ref().map(|failure| format!("{failure:?}"));
    let asks = run.interrupts.iter().map(|interrupt| interrupt.node.clone()).collect();
    Ok(RunSeen { status, output, failure, asks })
}

fn happened(event: Event) -> Happened {
    Happened {
        seq: event.seq,
        at_ms: event.at_ms,
        kind: event.kind,
        group: event.group,
        index: event.index,
        number: event.number,
        text: event.text,
    }
}
