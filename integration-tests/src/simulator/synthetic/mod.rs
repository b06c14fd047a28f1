//! Runs that no graph leads: commits made by hand, for what the engine has no node for and
//! what a graph needs luck to come by. Staged groups, quorums, deadlines, calls that outlive
//! their run, threads with a queue, branches that are dropped, waits and signals, runs within runs, jobs that pause, and compensations.
//!
//! `plan` decides, purely, from the records and a plan's number; `groups` makes its groups;
//! `worker` does the work that pauses, `people` what comes at the wrong time, `operators` what
//! looks back and sets right.
//! What is here is the process around it: it looks at its runs as a sweeper does, through
//! the same gated store, and dies and starts again as every other. Orchestrators publish,
//! hand out, expire and record for these runs as for any; they only cannot advance them.

pub(super) mod groups;
mod operators;
mod people;
pub(super) mod plan;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use baton_broker::Broker;
use baton_common::job::Outcome;
use baton_common::records::{DueKind, GroupPhase, Interrupt, Run, RunInfo, RunStatus, TaskKind};
use baton_common::settings::Timings;
use baton_common::tool::Priority;
use baton_common::transition::{Deliver, OnBusy, Op, Stage, Submit};
use baton_common::{Actor, Digest, GraphHash, JobId, RequestId, RunId, TenantId, ThreadId, ThreadKey};
use baton_store::{Error, Loaded, Reader, Store};
use parking_lot::Mutex;

use super::chaos::Chaos;
use super::process::Cluster;

/// Processes that lead synthetic runs.
pub(super) const LEADERS: usize = 2;
/// The name of the graph that they have instead of one.
pub(super) const NAME: &str = "synthetic";
/// What signals are named, and waits ask for.
const SIGNAL: &str = "go";
/// Tasks staged at a time.
const STAGED: usize = 4;

/// The synthetic runs of one life; none in some lives.
pub(super) fn runs(chaos: &Chaos, seed: u64) -> Vec<RunInfo> {
    let count = if chaos.below(2) == 0 { 1 + chaos.below(3) } else { 0 };
    // All on one thread in some lives, so that they wait for their turns.
    let together = chaos.below(3) == 0;
    (0..count)
        .filter_map(|number| {
            let thread = if together { 0 } else { number };
            let thread = ThreadId::parse(&format!("synthetic-{seed}-{thread}")).ok()?;
            let thread = ThreadKey { tenant: TenantId::local(), thread };
            let request = RequestId::parse(&format!("{number}")).ok();
            Some(info(thread, request, chaos.below(u64::MAX)))
        })
        .collect()
}

/// What a child has of the run it belongs to.
fn info_of(run: &RunInfo) -> RunInfo {
    info(run.thread.clone(), None, 0)
}

fn info(thread: ThreadKey, request: Option<RequestId>, plan: u64) -> RunInfo {
    let input = format!("{plan}");
    let none = RequestId::parse("none").expect("a name of letters");
    RunInfo {
        id: RunId::for_submit(&thread, Some(request.as_ref().unwrap_or(&none))),
        thread,
        actor: Actor::local(),
        graph: GraphHash(Digest::of(NAME)),
        graph_name: NAME.to_owned(),
        request,
        body_digest: Digest::of(&input),
        reader: 1,
        deadline: None,
        priority: Priority::Normal,
        traceparent: None,
        input,
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    }
}

/// One process that leads synthetic runs, for as long as it lives.
pub(super) struct Leader {
    pub(super) store: Arc<dyn Store>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) chaos: Arc<Chaos>,
    pub(super) timings: Timings,
    pub(super) runs: Arc<Vec<RunInfo>>,
    /// Questions that were open once.
    pub(super) questions: Arc<Mutex<Vec<Interrupt>>>,
}

impl Leader {
    /// Looks at runs, sends signals and does the work that pauses, for as long as it lives.
    pub(super) async fn lead(self) {
        let worker =
            worker::Worker { store: self.store.clone(), broker: self.broker.clone(), chaos: self.chaos.clone() };
        tokio::join!(self.look_at_all(), worker.work());
    }

    async fn look_at_all(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(80 + self.chaos.below(400))).await;
            // What fails here is looked at again.
            let _ = self.meddle().await;
            let _ = self.operate().await;
            for info in self.runs.iter() {
                let _ = self.look(info.id, Some(info)).await;
            }
            for run in self.others().await.unwrap_or_default() {
                let _ = self.look(run, None).await;
            }
        }
    }

    /// Runs that were started by others: those that have something due, and, should they be
    /// parked, those that somebody waits for.
    async fn others(&self) -> Result<BTreeSet<RunId>, Error> {
        let mut found = BTreeSet::new();
        let partitions: BTreeSet<_> = self.runs.iter().map(|info| info.id.partition).collect();
        for partition in partitions {
            found.extend(self.store.due(partition).await?.into_iter().map(|(_, due)| due.key.run));
        }
        let mut callers: Vec<RunId> = self.runs.iter().map(|info| info.id).chain(found.clone()).collect();
        while let Some(caller) = callers.pop() {
            let Some(run) = self.store.run(caller).await?.filter(|run| run.state.children > 0) else { continue };
            let Some(detail) = self.store.detail(caller).await? else { continue };
            let r#gen = run.state.r#gen;
            for (group, _) in detail.groups.iter().filter(|(group, _)| group.info.kind == TaskKind::Child) {
                let job = |index| JobId { run: caller, r#gen, group: group.info.id.clone(), index };
                let children = (0..group.info.count).map(|index| RunId::for_child(&job(index)));
                callers.extend(children.clone().filter(|child| !found.contains(child)));
                found.extend(children);
            }
        }
        found.retain(|run| self.runs.iter().all(|info| info.id != *run));
        Ok(found)
    }

    async fn look(&self, run: RunId, known: Option<&RunInfo>) -> Result<(), Error> {
        let Some(Run { info, state, .. }) = self.store.run(run).await? else {
            return match known {
                Some(info) => self.submit(info).await,
                None => Ok(()),
            };
        };
        if state.awaiting > 0 {
            self.deliver(&info, state.waits).await?;
        }
        match state.status {
            _ if info.graph_name != NAME => Ok(()),
            RunStatus::Queued => Ok(()),
            RunStatus::Stuck => self.apply(Op::Unpark { run, actor: Actor::local(), operation: String::new() }).await,
            status if status.is_terminal() => Ok(()),
            _ if self.chaos.strikes("run parked", 2.0) => {
                self.apply(Op::Park { run, reason: "looked_at".to_owned() }).await
            }
            _ => self.advance(run).await,
        }
    }

    /// Gives each wait of a run the first signal that nobody took.
    async fn deliver(&self, info: &RunInfo, waits: u32) -> Result<(), Error> {
        let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
        let Some(thread) = self.store.thread(root).await? else { return Ok(()) };
        let signals = self.store.signals(root).await?;
        let mut free = signals.into_iter().filter(|signal| signal.taken.is_none());
        for wait in self.store.waits(info.id).await? {
            let Some(signal) = free.find(|signal| signal.name == wait.signal) else { break };
            let outcome = serde_json::to_string(&Outcome::value(true)).unwrap_or_default();
            self.apply(Op::Deliver(Box::new(Deliver { job: wait.job, number: signal.number, outcome }))).await?;
        }
        self.apply(Op::Heard { run: info.id, signals: thread.signals, waits }).await
    }

    /// Submits what the store does not know: at first everything, later what it forgot.
    async fn submit(&self, info: &RunInfo) -> Result<(), Error> {
        if !self.chaos.is_calm() && self.chaos.below(6) > 0 {
            return Ok(());
        }
        let mut info = info.clone();
        if plan::has_deadline(&info) {
            info.deadline = Some(self.store.now().await?.plus_ms(15_000));
        }
        let lasting = info.id.uuid.as_u128().is_multiple_of(2);
        self.apply(Op::Submit(Box::new(Submit { lasting, ..Submit::new(info, OnBusy::Enqueue) }))).await
    }

    async fn advance(&self, run: RunId) -> Result<(), Error> {
        let Some(loaded) = self.store.load(run).await? else { return Ok(()) };
        if !self.may_advance(&loaded).await? {
            return Ok(());
        }
        let head = match loaded.run.state.head.0 {
            0 => None,
            _ => self.store.checkpoint(&loaded.run.info.thread, loaded.run.state.head).await?,
        };
        let Some(mut commit) = plan::step(&loaded, head.as_ref()) else { return Ok(()) };
        for group in &mut commit.open {
            if group.tasks.len() <= STAGED {
                continue;
            }
            let tasks = std::mem::take(&mut group.tasks);
            commit.staged += u32::try_from(tasks.len()).unwrap_or(u32::MAX);
            for (chunk, first) in tasks.chunks(STAGED).zip((0..).step_by(STAGED)) {
                if self.chaos.strikes("chunk forgotten", 30.0) {
                    continue;
                }
                let group = group.info.id.clone();
                self.apply(Op::Stage(Stage { run, op: commit.op, group, first, tasks: chunk.to_vec() })).await?;
            }
        }
        self.apply(Op::Advance(commit.into())).await
    }

    /// A run that is being cancelled waits for what is claimed, but not for ever.
    async fn may_advance(&self, loaded: &Loaded) -> Result<bool, Error> {
        let state = &loaded.run.state;
        if !matches!(state.status, RunStatus::Cancelling | RunStatus::Undoing) {
            return Ok(true);
        }
        let run = loaded.run.info.id;
        let Some(detail) = self.store.detail(run).await? else { return Ok(false) };
        if !detail.groups.iter().any(|(group, _)| group.state.phase == GroupPhase::Stopping) {
            return Ok(true);
        }
        if loaded.now.since_ms(state.ready_at) > self.timings.cancel_after_ms {
            self.apply(Op::Force { run }).await?;
        }
        Ok(state.status == RunStatus::Undoing)
    }

    async fn apply(&self, op: Op) -> Result<(), Error> {
        self.store.apply(op).await.map(drop)
    }
}

/// Whether these runs are over, their children and their detached calls too: nothing is due
/// any more but their removal.
pub(super) async fn ended(cluster: &Cluster, runs: &[RunInfo]) -> bool {
    for info in runs {
        let run = cluster.memory.run(info.id).await.ok().flatten();
        if run.is_none_or(|run| !run.state.status.is_terminal() || run.state.detached_open > 0) {
            return false;
        }
        let due = cluster.memory.due(info.id.partition).await.unwrap_or_default();
        if due.iter().any(|(_, due)| !matches!(due.key.kind, DueKind::Gc | DueKind::Thread)) {
            return false;
        }
    }
    true
}
