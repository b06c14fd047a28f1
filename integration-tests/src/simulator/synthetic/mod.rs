//! Runs that no graph leads: commits made by hand, for what the engine has no node for and
//! what a graph needs luck to come by. Staged groups, quorums, deadlines, calls that outlive
//! their run, threads with a queue, and branches that are dropped.
//!
//! `plan` decides, purely, from the records and a plan's number; `groups` makes its groups.
//! What is here is the process around it: it looks at its runs as a sweeper does, through
//! the same gated store, and dies and starts again as every other. Orchestrators publish,
//! hand out, expire and record for these runs as for any; they only cannot advance them.

pub(super) mod groups;
pub(super) mod plan;

use std::sync::Arc;
use std::time::Duration;

use baton_common::records::{Run, RunInfo, RunStatus, TaskState};
use baton_common::settings::Timings;
use baton_common::tool::Priority;
use baton_common::transition::{OnBusy, Op, Stage, Submit};
use baton_common::{Actor, Digest, GraphHash, RequestId, RunId, TenantId, ThreadId, ThreadKey};
use baton_store::{Error, Loaded, Reader, Store};

use super::chaos::Chaos;
use super::process::Cluster;

/// Processes that lead synthetic runs.
pub(super) const LEADERS: usize = 2;
/// The name of the graph that they have instead of one.
pub(super) const NAME: &str = "synthetic";
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

fn info(thread: ThreadKey, request: Option<RequestId>, plan: u64) -> RunInfo {
    let input = format!("{plan}");
    RunInfo {
        id: RunId::for_submit(&thread, request.as_ref()),
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
    }
}

/// One process that leads synthetic runs, for as long as it lives.
pub(super) struct Leader {
    pub(super) store: Arc<dyn Store>,
    pub(super) chaos: Arc<Chaos>,
    pub(super) timings: Timings,
    pub(super) runs: Arc<Vec<RunInfo>>,
}

impl Leader {
    pub(super) async fn lead(self) {
        loop {
            tokio::time::sleep(Duration::from_millis(80 + self.chaos.below(400))).await;
            for info in self.runs.iter() {
                // What fails here is looked at again.
                let _ = self.look(info).await;
            }
        }
    }

    async fn look(&self, info: &RunInfo) -> Result<(), Error> {
        let Some(Run { info, state, .. }) = self.store.run(info.id).await? else { return self.submit(info).await };
        match state.status {
            RunStatus::Queued => Ok(()),
            RunStatus::Stuck => self.apply(Op::Unpark { run: info.id }).await,
            status if status.is_terminal() => Ok(()),
            _ if self.chaos.strikes("run parked", 2.0) => {
                self.apply(Op::Park { run: info.id, reason: "looked_at".to_owned() }).await
            }
            _ => self.advance(info.id).await,
        }
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
        self.apply(Op::Submit(Box::new(Submit::new(info, OnBusy::Enqueue)))).await
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
        let r#gen = loaded.run.state.r#gen;
        for group in &mut commit.open {
            if group.tasks.len() <= STAGED {
                continue;
            }
            let tasks = std::mem::take(&mut group.tasks);
            commit.staged += u32::try_from(tasks.len()).unwrap_or(u32::MAX);
            for (chunk, first) in tasks.chunks(STAGED).zip((0..).step_by(STAGED)) {
                let group = group.info.id.clone();
                self.apply(Op::Stage(Stage { run, op: commit.op, group, first, tasks: chunk.to_vec() })).await?;
            }
        }
        debug_assert_eq!(r#gen, loaded.run.state.r#gen);
        self.apply(Op::Advance(Box::new(commit))).await
    }

    /// A run that is being cancelled waits for what is claimed, but not for ever.
    async fn may_advance(&self, loaded: &Loaded) -> Result<bool, Error> {
        let state = &loaded.run.state;
        if state.status != RunStatus::Cancelling || loaded.now.since_ms(state.ready_at) > self.timings.cancel_after_ms {
            return Ok(true);
        }
        let Some(detail) = self.store.detail(loaded.run.info.id).await? else { return Ok(false) };
        let waited_for = detail.groups.iter().filter(|(group, _)| !group.info.detached);
        let mut tasks = waited_for.flat_map(|(_, tasks)| tasks);
        Ok(!tasks.any(|task| matches!(task.state, TaskState::Claimed { .. })))
    }

    async fn apply(&self, op: Op) -> Result<(), Error> {
        self.store.apply(op).await.map(drop)
    }
}

/// Whether these runs are over, and their detached calls too.
pub(super) async fn ended(cluster: &Cluster, runs: &[RunInfo]) -> bool {
    for info in runs {
        let run = cluster.memory.run(info.id).await.ok().flatten();
        if run.is_none_or(|run| !run.state.status.is_terminal() || run.state.detached_open > 0) {
            return false;
        }
    }
    true
}
