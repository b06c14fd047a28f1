//! What users of a cluster may do, one call at a time: an answer, a refusal, or nothing is
//! known. Whether and where a call is repeated is up to callers.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use baton_proto::detail;
use baton_proto::v1::graphs_client::GraphsClient;
use baton_proto::v1::operate_client::OperateClient;
use baton_proto::v1::runs_client::RunsClient;
use baton_proto::v1::{
    AnswerRequest, ApplyGraphRequest, AuditEntry, AuditRequest, CancelRequest, GetRunRequest, Interrupt,
    ListInterruptsRequest, ListRunsRequest, QueuesRequest, Run, SignalRequest, SubmitRequest, WatchRequest,
    WorkersRequest, watch_response::Item,
};
use serde_json::Value;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::events::Seen;

/// How long a call may take before nothing is known of it.
const CALL: Duration = Duration::from_secs(5);

/// What a call told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told<T> {
    /// It was done.
    Ok(T),
    /// It was refused for good.
    Refused {
        /// The code of the error.
        code: String,
        /// What was wrong.
        cause: String,
    },
    /// It may have been done or not.
    Unknown,
}

/// A caller who knows several orchestrators.
#[derive(Clone)]
pub struct Api {
    channels: Vec<InterceptedService<Channel, Key>>,
}

/// Shows the caller's key, where there is one.
#[derive(Clone, Default)]
struct Key(Option<MetadataValue<Ascii>>);

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

macro_rules! call {
    ($self:ident, $place:expr, $client:ident, $call:ident, $request:expr) => {{
        let channel = $self.channels[$place % $self.channels.len()].clone();
        let request = tonic::Request::new($request);
        told(tokio::time::timeout(CALL, $client::new(channel).$call(request)).await)
    }};
}

/// Repeats a call at one orchestrator after the other until something is known.
macro_rules! until_known {
    ($self:ident, $within:expr, $place:ident => $call:expr) => {{
        let (began, mut $place) = (Instant::now(), 0_usize);
        loop {
            match $call {
                Told::Ok(answer) => break Ok(answer),
                Told::Refused { code, cause } => break Err(anyhow::anyhow!("{code}: {cause}")),
                Told::Unknown if began.elapsed() > $within => {
                    break Err(anyhow::anyhow!("nobody answered in {:?}", $within));
                }
                Told::Unknown => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            $place += 1;
        }
    }};
}

impl Api {
    /// A caller of these addresses.
    ///
    /// # Errors
    /// When one is no address.
    pub fn new(addresses: &[String]) -> anyhow::Result<Self> {
        Self::made(addresses, Key::default())
    }

    /// The same, with the caller's key.
    ///
    /// # Errors
    /// When one is no address, or the key is no text.
    pub fn with_key(addresses: &[String], key: &str) -> anyhow::Result<Self> {
        Self::made(addresses, Key(Some(format!("Bearer {key}").parse().context("a key")?)))
    }

    fn made(addresses: &[String], key: Key) -> anyhow::Result<Self> {
        let channel = |address: &String| -> anyhow::Result<InterceptedService<Channel, Key>> {
            let endpoint = Endpoint::from_shared(address.clone())?
                .connect_timeout(Duration::from_secs(2))
                .http2_keep_alive_interval(Duration::from_secs(2))
                .keep_alive_timeout(Duration::from_secs(2))
                .keep_alive_while_idle(true)
                // What a slow reader has not read yet stays where it is.
                .initial_stream_window_size(64 * 1024)
                .initial_connection_window_size(1024 * 1024);
            Ok(InterceptedService::new(endpoint.connect_lazy(), key.clone()))
        };
        Ok(Self { channels: addresses.iter().map(channel).collect::<Result<_, _>>()? })
    }

    /// How many orchestrators it knows.
    #[must_use]
    pub fn places(&self) -> usize {
        self.channels.len()
    }

    /// Applies a graph.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn apply(&self, source: &str) -> anyhow::Result<()> {
        let request =
            ApplyGraphRequest { source: source.to_owned(), includes: Vec::new(), origin: "chaos.yaml".to_owned() };
        until_known!(self, Duration::from_secs(60), place => call!(self, place, GraphsClient, apply, request.clone()))
            .map(drop)
    }

    /// Submits a run: its id.
    pub async fn submit(&self, place: usize, graph: &str, input: &Value, request_id: &str) -> Told<String> {
        let request = SubmitRequest {
            graph: graph.to_owned(),
            input_json: input.to_string(),
            request_id: request_id.to_owned(),
            ..SubmitRequest::default()
        };
        match call!(self, place, RunsClient, submit, request) {
            Told::Ok(answer) => Told::Ok(answer.run_id),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// Submits a run until it is accepted.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub async fn submitted(&self, graph: &str, input: &Value, request_id: &str) -> anyhow::Result<String> {
        until_known!(self, Duration::from_secs(60), place => self.submit(place, graph, input, request_id).await)
    }

    /// One run; `run_not_found` where there is none.
    pub async fn get(&self, place: usize, run: &str) -> Told<Run> {
        match call!(self, place, RunsClient, get, GetRunRequest { run_id: run.to_owned() }) {
            Told::Ok(answer) => answer.run.map_or(Told::Unknown, Told::Ok),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// One run, asked for until somebody answers.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub async fn got(&self, run: &str) -> anyhow::Result<Run> {
        until_known!(self, Duration::from_secs(60), place => self.get(place, run).await)
    }

    /// Answers a question: whether that was recorded before.
    pub async fn answer(&self, place: usize, run: &str, question: &str, decision: &Value) -> Told<bool> {
        let request = AnswerRequest {
            run_id: run.to_owned(),
            question: question.to_owned(),
            decision_json: decision.to_string(),
        };
        match call!(self, place, RunsClient, answer, request) {
            Told::Ok(answer) => Told::Ok(answer.existed),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// Every run that is kept, new ones first.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let (mut request, mut runs) = (ListRunsRequest { page_size: 500, ..ListRunsRequest::default() }, Vec::new());
        loop {
            let page = until_known!(
                self, Duration::from_secs(30), place => call!(self, place, RunsClient, list, request.clone())
            )?;
            runs.extend(page.runs);
            if page.next_page_token.is_empty() {
                return Ok(runs);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Asks a run to stop.
    pub async fn cancel(&self, place: usize, run: &str) -> Told<()> {
        match call!(self, place, RunsClient, cancel, CancelRequest { run_id: run.to_owned() }) {
            Told::Ok(_) => Told::Ok(()),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// Tells a run something.
    pub async fn signal(&self, place: usize, run: &str, id: &str, value: &Value) -> Told<()> {
        let request = SignalRequest {
            run_id: run.to_owned(),
            name: "go".to_owned(),
            id: id.to_owned(),
            value_json: value.to_string(),
            ..SignalRequest::default()
        };
        match call!(self, place, RunsClient, signal, request) {
            Told::Ok(_) => Told::Ok(()),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// Open questions, old ones first.
    pub async fn inbox(&self, place: usize) -> Told<Vec<Interrupt>> {
        let request = ListInterruptsRequest { page_size: 500, ..ListInterruptsRequest::default() };
        match call!(self, place, RunsClient, list_interrupts, request) {
            Told::Ok(answer) => Told::Ok(answer.interrupts),
            Told::Refused { code, cause } => Told::Refused { code, cause },
            Told::Unknown => Told::Unknown,
        }
    }

    /// How many workers announced themselves.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn workers(&self) -> anyhow::Result<usize> {
        until_known!(self, Duration::from_secs(10), place => call!(self, place, OperateClient, workers, WorkersRequest {}))
            .map(|answer| answer.workers.len())
    }

    /// What the audit log says of an operation since then, old entries first.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn audit(&self, operation: &str, since_ms: i64) -> anyhow::Result<Vec<AuditEntry>> {
        let (operation, since_ms) = (operation.to_owned(), Some(since_ms));
        let mut request = AuditRequest { page_size: 500, operation, since_ms, ..AuditRequest::default() };
        let mut entries = Vec::new();
        loop {
            let page = until_known!(
                self, Duration::from_secs(30), place => call!(self, place, OperateClient, audit, request.clone())
            )?;
            entries.extend(page.entries);
            if page.next_page_token.is_empty() {
                return Ok(entries);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Queues and how many messages wait in each.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn queues(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let answer = until_known!(
            self, Duration::from_secs(30), place => call!(self, place, OperateClient, queues, QueuesRequest {})
        )?;
        Ok(answer.queues.into_iter().map(|queue| (queue.name, queue.ready.unwrap_or(0))).collect())
    }

    /// Hands over the events of a run behind `after` as they come; the run, if it has ended.
    ///
    /// # Errors
    /// When the stream does not open or breaks.
    pub async fn follow(
        &self,
        place: usize,
        run: &str,
        after: u64,
        mut on: impl FnMut(Seen),
    ) -> anyhow::Result<Option<Run>> {
        let request = WatchRequest { run_id: run.to_owned(), after, state: false };
        let channel = self.channels[place % self.channels.len()].clone();
        let mut client = RunsClient::new(channel);
        let mut stream = tokio::time::timeout(CALL, client.watch(request)).await.context("no answer")??.into_inner();
        while let Some(item) = stream.message().await? {
            match item.item {
                Some(Item::Event(event)) => on(Seen::from(event)),
                Some(Item::Gap(gap)) => on(Seen::gap(gap.first, gap.last)),
                Some(Item::Ended(run)) => return Ok(Some(run)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Every event of a run that has ended.
    ///
    /// # Errors
    /// When nobody tells them.
    pub async fn events(&self, run: &str) -> anyhow::Result<Vec<Seen>> {
        let mut last = None;
        for place in 0..10 * self.places() {
            let mut seen = Vec::new();
            match self.follow(place, run, 0, |event| seen.push(event)).await {
                Ok(_) => return Ok(seen),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("nobody was asked")?)
    }
}

fn told<T>(answer: Result<Result<tonic::Response<T>, tonic::Status>, tokio::time::error::Elapsed>) -> Told<T> {
    match answer {
        Ok(Ok(answer)) => Told::Ok(answer.into_inner()),
        Err(_) => Told::Unknown,
        Ok(Err(status)) => match (status.code(), detail::of_status(&status)) {
            // Whoever did not tell its reason in our words is no orchestrator but the network.
            (Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded, _) | (_, None) => Told::Unknown,
            (_, Some(detail)) => Told::Refused { code: detail.code, cause: detail.cause },
        },
    }
}
