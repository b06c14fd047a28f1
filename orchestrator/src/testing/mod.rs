//! For tests of this crate: an orchestrator over memory adapters, a worker loop of a few
//! lines, and graphs made by hand.

mod archive;
mod faults;
mod graphs;
mod inputs;
mod keyed;
mod operators;
mod payloads;
mod quotas;
pub(crate) mod records;
mod runs;
mod store;
mod sweeps;
mod tokens;
mod traces;
mod turns;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_broker::Broker;
use baton_broker::memory::Memory;
use baton_common::ids::{ClaimRequest, WorkerId};
use baton_common::job::{ClaimAnswer, Envelope, Grant, Outcome, ResumeAnswer};
use baton_common::settings::Timings;
use baton_common::{Failure, Payload, RequestId, RunId, TraceContext};
use baton_control::{ClaimCall, ControlPlane, Hold, Resume};
use baton_store::memory::MemoryStore;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::store::Counting;
use crate::api::{Caller, GraphRef, RunView, SubmitRequest, Target, Watched};
use crate::auth::Auth;
use crate::graphs::Compiled;
use crate::{Compute, Orchestrator, Parts, Services, Settings};

/// Before a call that was not answered is made again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// An orchestrator as the servers have it, without keys.
pub(crate) async fn services() -> Services {
    let timings = Timings::default().scaled(20);
    let shutdown = CancellationToken::new();
    let parts = Parts {
        store: Arc::new(MemoryStore::new(timings.clone())),
        broker: Arc::new(Memory::default()),
        blobs: Arc::new(baton_blobs::Objects::memory()),
        settings: Settings { timings, lease_partitions: false, ..Settings::default() },
        compute: Compute::Inline,
    };
    let auth = Arc::new(Auth::new(parts.store.clone(), None, false));
    let orchestrator = Orchestrator::start(parts, shutdown.clone()).await.unwrap();
    Services { plane: Arc::new(orchestrator.clone()), orchestrator, auth, shutdown }
}

/// One process's worth of orchestrator, and the worker beside it.
struct Rig {
    store: Counting,
    broker: Memory,
    orchestrator: Orchestrator,
    stop: CancellationToken,
    ran: Arc<Mutex<Vec<Grant>>>,
}

impl Rig {
    async fn new(graphs: Vec<Compiled>, settings: Settings) -> Self {
        let store = Counting::new(MemoryStore::new(Timings::default()));
        Self::over(store, Memory::default(), graphs, settings).await
    }

    async fn over(store: Counting, broker: Memory, graphs: Vec<Compiled>, settings: Settings) -> Self {
        Self::with_blobs(store, broker, baton_blobs::Objects::memory(), graphs, settings).await
    }

    async fn with_blobs(
        store: Counting,
        broker: Memory,
        blobs: baton_blobs::Objects,
        graphs: Vec<Compiled>,
        settings: Settings,
    ) -> Self {
        let stop = CancellationToken::new();
        let parts = Parts {
            store: Arc::new(store.clone()),
            broker: Arc::new(broker.clone()),
            blobs: Arc::new(blobs),
            settings: Settings { seeded_ids: true, ..settings },
            compute: Compute::Inline,
        };
        let orchestrator = Orchestrator::start(parts, stop.clone()).await.unwrap();
        for graph in graphs {
            orchestrator.inner.graphs.insert(Caller::local().tenant, graph);
        }
        Self { store, broker, orchestrator, stop, ran: Arc::default() }
    }

    /// A worker that answers by `work`, one job after another.
    fn work(&self, work: impl Fn(&Grant) -> Option<Outcome> + Send + Sync + 'static) {
        let (orchestrator, broker, ran) = (self.orchestrator.clone(), self.broker.clone(), self.ran.clone());
        let work = self.stop.clone().run_until_cancelled_owned(async move {
            let mut consumer = broker.consume(&queues(), 8).await.unwrap();
            while let Ok(delivery) = consumer.next().await {
                let mut envelope: Envelope = serde_json::from_slice(delivery.body()).unwrap();
                envelope.traceparent = delivery.traceparent().map(str::to_owned);
                let call = ClaimCall { envelope: envelope.into(), request: ClaimRequest(ran.lock().len() as u64 + 1) };
                let answers = orchestrator.claim(WorkerId(1), vec![call]).await;
                match answers.map(|mut answers| answers.remove(0)) {
                    Ok(ClaimAnswer::Granted(grant)) => {
                        delivery.ack().await.unwrap();
                        ran.lock().push((*grant).clone());
                        if let Some(outcome) = work(&grant) {
                            resume(&orchestrator, &grant, outcome).await;
                        }
                    }
                    Ok(ClaimAnswer::Drop(_)) => delivery.ack().await.unwrap(),
                    Ok(ClaimAnswer::Later) | Err(_) => delivery.give_back().await.unwrap(),
                }
            }
        });
        tokio::spawn(work);
    }

    /// A worker that echoes and repeats every call until it is answered.
    fn persistent_work(&self) {
        let (orchestrator, broker) = (self.orchestrator.clone(), self.broker.clone());
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            let mut consumer = broker.consume(&queues(), 8).await.unwrap();
            let mut request = 0;
            while let Ok(delivery) = consumer.next().await {
                let envelope: Envelope = serde_json::from_slice(delivery.body()).unwrap();
                request += 1;
                let call = ClaimCall { envelope: envelope.into(), request: ClaimRequest(request) };
                let answer = loop {
                    match orchestrator.claim(WorkerId(1), vec![call.clone()]).await.map(|mut all| all.remove(0)) {
                        Ok(ClaimAnswer::Later) | Err(_) => tokio::time::sleep(PAUSE).await,
                        Ok(answer) => break answer,
                    }
                };
                delivery.ack().await.unwrap();
                let ClaimAnswer::Granted(grant) = answer else { continue };
                let hold = Hold::of(&grant);
                let resume =
                    Resume { hold, digest: grant.digest, outcome: Outcome::Ok(grant.args.clone()), trace: None };
                while orchestrator.resume(resume.clone()).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }));
    }

    async fn submit(&self, graph: &str, input: Value) -> RunId {
        self.submit_as(graph, input, "r", None).await
    }

    async fn submit_as(&self, graph: &str, input: Value, request: &str, thread: Option<&str>) -> RunId {
        let request = SubmitRequest {
            graph: GraphRef::Hash(baton_common::GraphHash(baton_common::Digest::of(graph))),
            input,
            request_id: RequestId::parse(request).ok(),
            thread: thread.and_then(|thread| baton_common::ThreadId::parse(thread).ok()),
            traceparent: None,
            record: false,
        };
        self.orchestrator.submit(&Caller::local(), request).await.unwrap().run
    }

    async fn get(&self, run: RunId) -> RunView {
        self.orchestrator.get(&Caller::local(), run).await.unwrap()
    }

    /// The run at its end, as a watcher sees it.
    async fn end(&self, run: RunId) -> RunView {
        let mut events = self.orchestrator.watch(&Caller::local(), run, 0).await.unwrap();
        let mut seen = 0;
        while let Some(item) = events.next().await {
            if let Watched::Event(event) = item.unwrap() {
                seen += 1;
                assert_eq!(event.seq, seen, "events are numbered without gaps");
            }
        }
        self.get(run).await
    }

    /// Waits until the view satisfies `done`; time is paused, so this takes none.
    async fn until(&self, run: RunId, done: impl Fn(&RunView) -> bool) -> RunView {
        for _ in 0..10_000 {
            let view = self.get(run).await;
            if done(&view) {
                return view;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("never: {:?}", self.get(run).await)
    }

    async fn stop(self) {
        self.stop.cancel();
        assert!(self.orchestrator.stopped().await, "every task ends");
    }
}

/// What a worker consumes.
fn queues() -> Vec<String> {
    let own = ["io.high", "io.normal", "io.low"].into_iter();
    own.flat_map(|queue| std::iter::once(queue.to_owned()).chain(baton_broker::lanes_of(queue))).collect()
}

async fn resume(orchestrator: &Orchestrator, grant: &Grant, outcome: Outcome) -> ResumeAnswer {
    let hold = Hold::of(grant);
    let trace = TraceContext::read(grant.traceparent.as_deref());
    orchestrator.resume(Resume { hold, digest: grant.digest, outcome, trace }).await.unwrap()
}

/// Gives back its arguments.
fn echo(grant: &Grant) -> Option<Outcome> {
    Some(Outcome::Ok(grant.args.clone()))
}

fn transient() -> Outcome {
    Outcome::Error(Failure::transient("as_asked", "as asked"))
}

fn counts(of: &[(&str, u32)]) -> BTreeMap<String, u32> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn inline(payload: &Payload) -> Value {
    payload.inline().cloned().unwrap_or(json!("by reference"))
}
