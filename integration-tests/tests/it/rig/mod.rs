//! Both planes in this process, over each kind of store, and what stories ask of them. What
//! passes between them and the store is counted.

mod meter;
mod remote;
mod stored;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::records::Event;
use baton_common::settings::Timings;
use baton_common::{RequestId, RunId, ThreadId};
use baton_embedded::{Embedded, Options};
use baton_integration_tests::cluster::ledger::{self, Executions};
use baton_orchestrator::api::{
    Answered, ApiError, Caller, GraphRef, GraphSource, RunView, Status, SubmitRequest, Submitted, Watched, Which,
};
use baton_orchestrator::wiring;
use baton_store::MemoryStore;
use baton_testbed::{Redis, RedisOptions};
use baton_worker::config::ToolSwitches;
use futures_util::StreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use meter::{Meter, Work};
pub(crate) use stored::{stored, writes};

/// Nothing here takes longer unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A thread that keeps its messages.
pub(crate) const CHAT: &str = "
baton: 1
graph: chat
input: { text: string }
output: { reply: state.reply }
on_busy: enqueue
state:
  messages: { type: array, reduce: messages, keep: true }
  reply: string
start: hear
nodes:
  hear: { save: { messages: \"{'role': 'user', 'content': input.text}\" }, then: answer }
  answer:
    tool: { name: debug.echo, args: { text: 'That was {{ state.messages | length }}' } }
    save: { reply: output.text, messages: \"{'role': 'assistant', 'content': output.text}\" }
    then: end
";

/// What the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
    Redis,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Redis];
}

/// A cluster in this process.
pub(crate) struct Rig {
    pub(crate) cluster: Embedded,
    pub(crate) meter: Arc<Meter>,
    pub(crate) redis: Option<Redis>,
    pub(crate) memory: Option<MemoryStore>,
    pub(crate) folder: TempDir,
}

/// A submit, as a story changes it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asks<'a> {
    pub(crate) thread: Option<&'a str>,
    pub(crate) request: Option<&'a str>,
    pub(crate) record: bool,
}

impl Rig {
    /// With the protocol at a twentieth of its timings, but for leases: a busy machine is no
    /// lost worker.
    pub(crate) async fn start(kind: Kind) -> Self {
        let leases = Timings::default().lease_ms;
        Self::with(kind, Timings { lease_ms: leases, ..Timings::default().scaled(20) }).await
    }

    pub(crate) async fn with(kind: Kind, timings: Timings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ledger")).unwrap();
        let redis = (kind == Kind::Redis).then(|| Redis::start(RedisOptions::default()).unwrap());
        let url = match (kind, &redis) {
            (Kind::Sqlite, _) => format!("sqlite:{}", folder.path().join("store").display()),
            (_, Some(redis)) => redis.url(),
            _ => "memory:".to_owned(),
        };
        let memory = (kind == Kind::Memory).then(|| MemoryStore::new(timings.clone()));
        let meter = Meter::new(match &memory {
            Some(memory) => Arc::new(memory.clone()),
            None => wiring::store(&url, &timings).await.unwrap(),
        });
        let options = Options {
            store: Some(meter.clone()),
            switches: ToolSwitches {
                debug_tools: true,
                debug_dir: Some(folder.path().join("ledger")),
                ..ToolSwitches::default()
            },
            timings,
            ..Options::default()
        };
        Self { cluster: Embedded::start(options).await.unwrap(), meter, redis, memory, folder }
    }

    pub(crate) async fn stop(self) {
        tokio::time::timeout(PATIENCE, self.cluster.stop()).await.unwrap();
    }

    pub(crate) async fn apply(&self, graph: &str) {
        self.cluster.api().apply_graph(&Caller::local(), source(graph)).await.unwrap();
    }

    pub(crate) async fn try_submit(&self, graph: &str, input: Value, asks: Asks<'_>) -> Result<Submitted, ApiError> {
        let request = SubmitRequest {
            graph: match graph.contains('\n') {
                true => GraphRef::Source(source(graph)),
                false => GraphRef::Name(graph.to_owned()),
            },
            input,
            request_id: asks.request.map(|name| RequestId::parse(name).unwrap()),
            thread: asks.thread.map(|name| ThreadId::parse(name).unwrap()),
            traceparent: None,
            record: asks.record,
        };
        self.cluster.api().submit(&Caller::local(), request).await
    }

    /// Submits a graph by its text, or an applied one by its name.
    pub(crate) async fn submit(&self, graph: &str, input: Value, asks: Asks<'_>) -> RunId {
        self.try_submit(graph, input, asks).await.unwrap().run
    }

    pub(crate) async fn get(&self, run: RunId) -> RunView {
        self.cluster.api().get(&Caller::local(), run).await.unwrap()
    }

    /// The run at its end.
    pub(crate) async fn end(&self, run: RunId) -> RunView {
        self.events(run).await;
        self.get(run).await
    }

    /// The run at its end, which is to be a good one.
    pub(crate) async fn output(&self, run: RunId) -> Value {
        let view = self.end(run).await;
        assert_eq!(view.summary.status, Status::Succeeded, "{view:?}");
        view.output.unwrap()
    }

    /// Everything that happened until the run's end.
    pub(crate) async fn events(&self, run: RunId) -> Vec<Event> {
        let watched = async {
            let mut items = self.cluster.api().watch(&Caller::local(), run, 0).await.unwrap();
            let mut events = Vec::new();
            while let Some(item) = items.next().await {
                if let Watched::Event(event) = item.unwrap() {
                    events.push(event);
                }
            }
            events
        };
        match tokio::time::timeout(PATIENCE, watched).await {
            Ok(events) => events,
            Err(_) => panic!("it never ends: {:?}", self.get(run).await),
        }
    }

    /// The run as soon as it looks like that.
    pub(crate) async fn until(&self, run: RunId, done: impl Fn(&RunView) -> bool) -> RunView {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let view = self.get(run).await;
            if done(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "never: {view:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The run once so many questions are open.
    pub(crate) async fn asking(&self, run: RunId, questions: usize) -> RunView {
        self.until(run, |view| view.questions.len() == questions).await
    }

    pub(crate) async fn answer(&self, run: RunId, which: Which, decision: Value) -> Result<Answered, ApiError> {
        self.cluster.api().answer(&Caller::local(), run, which, decision).await
    }

    /// Answers the open question of a node.
    pub(crate) async fn answer_node(&self, run: RunId, node: &str, decision: Value) {
        self.answer(run, Which::Node(node.to_owned()), decision).await.unwrap();
    }

    pub(crate) fn ledger_folder(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// Executions by job.
    pub(crate) fn ledger(&self) -> BTreeMap<String, Executions> {
        let executions = ledger::read(&self.ledger_folder()).unwrap();
        executions.into_values().map(|one| (one.job.clone(), one)).collect()
    }
}

fn source(text: &str) -> GraphSource {
    GraphSource { text: text.to_owned(), name: "test.yaml".to_owned(), ..GraphSource::default() }
}
