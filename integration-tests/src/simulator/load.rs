//! The load of one life: runs of a few small graphs, a person who answers, and somebody
//! who cancels now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton_common::records::{EventKind, RunInfo, RunStatus};
use baton_common::{RequestId, RunId};
use baton_orchestrator::api::{Caller, ErrorKind, GraphRef, GraphSource, Status, SubmitRequest, Target, Which};
use baton_store::Reader;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::process::Cluster;
use super::synthetic;

/// Graphs and their inputs: together they use every kind of node.
fn graphs() -> Vec<(&'static str, Value)> {
    vec![
        (include_str!("graphs/loop.yaml"), json!({"turns": 5})),
        (include_str!("graphs/map.yaml"), json!({"items": [1, 2, 3, 4, 5, 6, 7]})),
        (include_str!("graphs/ask.yaml"), json!({})),
        (include_str!("graphs/branches.yaml"), json!({})),
        (include_str!("graphs/once.yaml"), json!({})),
        (include_str!("graphs/wait.yaml"), json!({})),
    ]
}

/// What is submitted, and the run it became once it was accepted.
type Wanted = (SubmitRequest, Option<RunId>);

/// The load, by request id.
#[derive(Clone)]
pub(super) struct Load {
    runs: Arc<Mutex<BTreeMap<String, Wanted>>>,
    synthetic: Arc<Vec<RunInfo>>,
}

/// Submits the load, and lets people act on it for as long as the cluster lives.
pub(super) async fn submit(cluster: &Cluster, seed: u64) -> Load {
    let graphs = graphs();
    let mut runs = BTreeMap::new();
    for number in 0..4 + cluster.chaos.below(4) {
        let pick = usize::try_from(cluster.chaos.below(u64::try_from(graphs.len()).unwrap_or(1))).unwrap_or(0);
        let (text, input) = graphs[pick].clone();
        let name = format!("sim-{seed}-{number}");
        let source = GraphSource { text: text.to_owned(), name: "sim.yaml".to_owned(), files: BTreeMap::new() };
        let request = SubmitRequest {
            graph: GraphRef::Source(source),
            input,
            request_id: RequestId::parse(&name).ok(),
            thread: None,
            traceparent: None,
            record: false,
        };
        runs.insert(name, (request, None));
    }
    let synthetic = Arc::new(synthetic::runs(&cluster.chaos, seed));
    cluster.start_leaders(&synthetic);
    let load = Load { runs: Arc::new(Mutex::new(runs)), synthetic };
    for keep in [Keep::Submitted, Keep::Answered, Keep::Cancelled, Keep::Signalled] {
        let (load, cluster) = (load.clone(), cluster.clone());
        tokio::spawn(async move { load.keep(&cluster, keep).await });
    }
    load
}

#[derive(Clone, Copy)]
enum Keep {
    Submitted,
    Answered,
    Cancelled,
    Signalled,
}

impl Load {
    async fn keep(&self, cluster: &Cluster, what: Keep) {
        loop {
            tokio::time::sleep(Duration::from_millis(150 + cluster.chaos.below(900))).await;
            match what {
                Keep::Submitted => self.submit_missing(cluster).await,
                Keep::Answered => self.answer(cluster).await,
                Keep::Cancelled => self.cancel(cluster).await,
                Keep::Signalled => self.signal(cluster).await,
            }
        }
    }

    /// Submits what the store does not know: at first everything, later what it forgot.
    /// A submit that failed is repeated under its request id, as a client would.
    async fn submit_missing(&self, cluster: &Cluster) {
        let runs: Vec<_> = self.runs.lock().iter().map(|(name, run)| (name.clone(), run.clone())).collect();
        for (name, (request, accepted)) in runs {
            // The load comes in over the time of the faults, not all at their start.
            if accepted.is_none() && !cluster.chaos.is_calm() && cluster.chaos.below(4) > 0 {
                continue;
            }
            let known = match accepted {
                Some(run) => cluster.memory.run(run).await.ok().flatten(),
                None => None,
            };
            // A store that went back may have lost a graph and kept its run. Whoever operates
            // it submits the same again, which keeps the graph, and lets the run go on.
            let stuck = known.as_ref().is_some_and(|run| run.state.status == RunStatus::Stuck);
            let cured = stuck && cluster.was_rolled_back();
            let Some(orchestrator) = cluster.orchestrator().filter(|_| known.is_none() || cured) else { continue };
            let caller = Caller::local();
            let submit = orchestrator.submit(&caller, request.clone());
            match tokio::time::timeout(Duration::from_secs(20), submit).await {
                Ok(Ok(submitted)) => {
                    if cured {
                        let unpark = orchestrator.unpark(&caller, submitted.run);
                        let _ = tokio::time::timeout(Duration::from_secs(5), unpark).await;
                    }
                    self.runs.lock().insert(name, (request, Some(submitted.run)));
                }
                // A tool is unknown until a worker that has it was heard of.
                Ok(Err(error)) => assert!(
                    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Exhausted) || error.code == "unknown_tool",
                    "a good submit was refused: {error:?}"
                ),
                Err(_) => {}
            }
        }
    }

    /// Answers what is open; sometimes twice, sometimes with two decisions at once.
    async fn answer(&self, cluster: &Cluster) {
        let chaos = &cluster.chaos;
        let Some(orchestrator) = cluster.orchestrator() else { return };
        let caller = Caller::local();
        let inbox = orchestrator.inbox(&caller, 20);
        let Ok(Ok(questions)) = tokio::time::timeout(Duration::from_secs(5), inbox).await else { return };
        for question in questions {
            let unknown = question.schema["properties"]["outcome"].is_object();
            let decisions = match unknown {
                true => [json!({"outcome": "succeeded", "value": {"value": "9"}}), json!({"outcome": "failed"})],
                false => [json!({"action": "approve"}), json!({"action": "reject", "comment": "no"})],
            };
            let pick = usize::from(chaos.below(3) == 0);
            let answer = |decision: Value| {
                let orchestrator = orchestrator.clone();
                let which = Which::Interrupt(question.id);
                async move { orchestrator.answer(&Caller::local(), question.run, which, decision).await.is_ok() }
            };
            let first = tokio::time::timeout(Duration::from_secs(5), answer(decisions[pick].clone()));
            if chaos.strikes("answered twice", 300.0) {
                let second = tokio::time::timeout(Duration::from_secs(5), answer(decisions[1 - pick].clone()));
                let _ = tokio::join!(biased; first, second);
            } else {
                let _ = first.await;
            }
        }
    }

    async fn cancel(&self, cluster: &Cluster) {
        if !cluster.chaos.strikes("run cancelled", 8.0) {
            return;
        }
        let runs = self.known();
        let pick = usize::try_from(cluster.chaos.below(u64::try_from(runs.len()).unwrap_or(1))).unwrap_or(0);
        if let (Some(orchestrator), Some(run)) = (cluster.orchestrator(), runs.get(pick)) {
            let caller = Caller::local();
            let cancel = orchestrator.cancel(&caller, *run);
            let _ = tokio::time::timeout(Duration::from_secs(5), cancel).await;
        }
    }

    /// Tells some run something, now and then the same again.
    async fn signal(&self, cluster: &Cluster) {
        let chaos = &cluster.chaos;
        let runs: Vec<RunId> = self.runs.lock().values().filter_map(|(_, run)| *run).collect();
        let pick = usize::try_from(chaos.below(u64::try_from(runs.len()).unwrap_or(1))).unwrap_or(0);
        if let (Some(orchestrator), Some(run)) = (cluster.orchestrator(), runs.get(pick)) {
            let (caller, id) = (Caller::local(), Some(format!("signal-{}", chaos.below(20))));
            let signal = orchestrator.signal(&caller, Target::Run(*run), "go".to_owned(), id, json!({"told": true}));
            let _ = tokio::time::timeout(Duration::from_secs(5), signal).await;
        }
    }

    /// The runs that were accepted.
    fn known(&self) -> Vec<RunId> {
        let accepted: Vec<RunId> = self.runs.lock().values().filter_map(|(_, run)| *run).collect();
        accepted.into_iter().chain(self.synthetic.iter().map(|info| info.id)).collect()
    }

    /// Waits until every run has come to its end, and its detached calls too.
    pub(super) async fn ended(&self, cluster: &Cluster) {
        while !self.all_ended(cluster).await {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn all_ended(&self, cluster: &Cluster) -> bool {
        let runs: Vec<Option<RunId>> = self.runs.lock().values().map(|(_, run)| *run).collect();
        for run in runs {
            let Some(run) = run else { return false };
            let Ok(Some(run)) = cluster.memory.run(run).await else { return false };
            if !run.state.status.is_terminal() || run.state.detached_open > 0 {
                return false;
            }
        }
        synthetic::ended(cluster, &self.synthetic).await && cluster.dead_letters().await == 0
    }

    /// I1, I17: what was accepted and never came to its end.
    pub(super) async fn unfinished(&self, cluster: &Cluster) -> String {
        let mut runs: Vec<_> = self.runs.lock().iter().map(|(name, (_, run))| (name.clone(), *run)).collect();
        runs.extend(self.synthetic.iter().map(|info| ("synthetic".to_owned(), Some(info.id))));
        let mut text = format!("I1: not ended ({} dead letters, I11):", cluster.dead_letters().await);
        for (name, run) in runs {
            let Some(run) = run else {
                text.push_str(&format!("\n{name} was never accepted"));
                continue;
            };
            let Ok(Some(detail)) = cluster.memory.detail(run).await else {
                text.push_str(&format!("\n{name} is gone"));
                continue;
            };
            let state = &detail.run.state;
            if !state.status.is_terminal() || state.detached_open > 0 {
                let due = cluster.memory.due(run.partition).await.unwrap_or_default();
                let due: Vec<_> = due.iter().map(|(at, due)| format!("{} at {at}", due.key.member())).collect();
                let events = cluster.memory.events(run, 0, u32::MAX).await.unwrap_or_default();
                let parked = events.iter().rev().find(|event| event.kind == EventKind::Parked);
                let parked = parked.map(|event| &event.text);
                let groups = &detail.groups;
                text.push_str(&format!(
                    "\n{name} {run} {state:?}\n  parked {parked:?} due {due:?}\n  groups {groups:?}"
                ));
            }
        }
        text
    }

    /// How many runs ended how.
    pub(super) async fn statuses(&self, cluster: &Cluster) -> BTreeMap<String, u64> {
        let runs = self.known();
        let mut statuses = BTreeMap::new();
        for run in runs {
            if let Ok(Some(run)) = cluster.memory.run(run).await {
                *statuses.entry(Status::of(run.state.status).name().to_owned()).or_default() += 1;
            }
        }
        statuses
    }
}
