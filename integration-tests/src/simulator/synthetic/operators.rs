//! What operators do to runs: states edited, runs taken up again, forked, pinned to another
//! version and removed, and keys of results taken and given by jobs that are anybody's.

use std::sync::Arc;
use std::time::Duration;

use baton_common::commit::Segment;
use baton_common::ids::{ClaimRequest, Gen, Seq, ThreadId};
use baton_common::records::{Checkpoint, DueKind, Origin, Run, RunInfo, SIGNALS_MAX, SetBack, TaskKind, TaskState};
use baton_common::transition::{Claim, Edit, Fork, KeyName, OnBusy, Op, Repin, Reserve, Retry, Settle, Signal, Submit};
use baton_common::{Actor, Digest, GraphHash, GroupId, Hasher, JobId, NodePath, RequestId, RunId, TenantId, WorkerId};
use baton_store::{Error, RunDetail};

use super::{Leader, NAME, SIGNAL};

/// A run that was retried has so long again, in milliseconds.
const AGAIN_MS: u64 = 15_000;

impl Leader {
    /// Does one thing, mostly none.
    pub(super) async fn operate(&self) -> Result<(), Error> {
        if self.chaos.strikes("run retried", 40.0) {
            self.retry().await?;
        }
        if self.chaos.strikes("state edited", 25.0) {
            self.edit().await?;
        }
        if self.chaos.strikes("thread forked", 10.0) {
            self.fork().await?;
        }
        if self.chaos.strikes("run pinned", 15.0) {
            self.repin().await?;
        }
        if self.chaos.strikes("run removed", 20.0) {
            self.remove().await?;
        }
        if self.chaos.strikes("key used", 150.0) {
            self.use_key().await?;
        }
        if self.chaos.strikes("workers lost in a row", 4.0) {
            self.lose_workers().await?;
        }
        if self.chaos.strikes("signals flood", 0.2) {
            self.flood().await?;
        }
        Ok(())
    }

    /// Some run, if it is known.
    async fn some_run(&self) -> Result<Option<Run>, Error> {
        self.store.run(self.pick().id).await
    }

    /// Takes a run up again where it failed, or from an earlier state, as it was seen or not.
    async fn retry(&self) -> Result<(), Error> {
        let Some(found) = self.some_run().await? else {
            let run = RunId { uuid: Default::default(), ..self.pick().id };
            return self.retry_from(run, Gen(0), None).await;
        };
        let seen = Gen(found.state.r#gen.0.saturating_sub(u32::from(self.chaos.below(6) == 0)));
        let from = match self.chaos.below(3) {
            0 => self.earlier(&found.info, found.state.head).await?,
            _ => None,
        };
        self.retry_from(found.info.id, seen, from).await
    }

    async fn retry_from(&self, run: RunId, seen: Gen, from: Option<SetBack>) -> Result<(), Error> {
        let deadline = Some(self.store.now().await?.plus_ms(AGAIN_MS));
        self.apply(Op::Retry(Box::new(Retry {
            run,
            seen,
            from,
            deadline,
            actor: Actor::local(),
            operation: String::new(),
        })))
        .await
    }

    /// A state of a run before its last one.
    async fn earlier(&self, info: &RunInfo, head: Seq) -> Result<Option<SetBack>, Error> {
        let Some(last) = self.store.checkpoint(&info.thread, head).await? else { return Ok(None) };
        let Some(before) = self.store.checkpoint(&info.thread, last.parent).await? else { return Ok(None) };
        let mine = before.run == info.id;
        Ok(mine.then(|| SetBack { seq: before.seq, channels: [("log".into(), before.seq)].into() }))
    }

    /// Writes a state of its own on top of the thread's, or of one that is its head no more.
    async fn edit(&self) -> Result<(), Error> {
        let thread = self.pick().thread.clone();
        let Some(known) = self.store.thread(&thread).await? else {
            return Ok(());
        };
        let Some(head) = self.store.checkpoint(&thread, known.head).await? else { return Ok(()) };
        // What a run remembers is in its last state: only that is gone on from.
        if known.active.is_some_and(|active| active != head.run) {
            return Ok(());
        }
        let hash = Hasher::new().field("edit").field(head.hash.0).number(self.chaos.below(3)).finish();
        let parent = if self.chaos.below(5) == 0 { head.parent } else { known.head };
        let checkpoint = Arc::new(Checkpoint { seq: known.next_seq(), parent, hash, ..head });
        let segments: Vec<Segment> = Vec::new();
        self.apply(Op::Edit(Box::new(Edit { thread, checkpoint, segments, actor: Actor::local() }))).await
    }

    /// Goes on from a run's last state on another thread.
    async fn fork(&self) -> Result<(), Error> {
        let Some(found) = self.some_run().await? else { return Ok(()) };
        let Some(last) = self.store.checkpoint(&found.info.thread, found.state.head).await? else { return Ok(()) };
        let request = RequestId::parse(&format!("fork-{}", self.chaos.below(4))).ok();
        let id = RunId::for_submit(&found.info.thread, request.as_ref());
        let mut info = RunInfo { id, request, deadline: None, before: Vec::new(), ..found.info.clone() };
        info.thread.thread = ThreadId::beside(id);
        let origin = Origin { thread: found.info.thread, seq: last.seq };
        let head = SetBack { seq: last.seq, channels: [("log".into(), last.seq)].into() };
        let fork = Some(Box::new(Fork { origin, head, edit: None }));
        self.apply(Op::Submit(Box::new(Submit {
            fork,
            lasting: self.chaos.below(2) == 0,
            ..Submit::new(info, OnBusy::Reject)
        })))
        .await
    }

    /// Pins a run to another version, as it was seen or not.
    async fn repin(&self) -> Result<(), Error> {
        let Some(found) = self.some_run().await? else { return Ok(()) };
        let run = found.info.id;
        let graph = GraphHash(Digest::of(format!("version {}", self.chaos.below(2))));
        let mut seen = found.state.ver;
        seen.0 -= u64::from(self.chaos.below(4) == 0 && seen.0 > 0);
        self.apply(Op::Repin(Repin { run, seen, graph, actor: Actor::local() })).await
    }

    /// Removes a run that nobody here asks for again: children, forks and the like.
    async fn remove(&self) -> Result<(), Error> {
        let due = self.store.due(self.pick().id.partition).await?;
        let mine = |run: &RunId| self.runs.iter().any(|info| info.id == *run);
        let over = due.into_iter().filter(|(_, due)| due.key.kind == DueKind::Gc).map(|(_, due)| due.key.run);
        let over: Vec<RunId> = over.filter(|run| !mine(run)).collect();
        let place = self.chaos.below(u64::try_from(over.len()).unwrap_or(0));
        let Some(run) = over.get(usize::try_from(place).unwrap_or(0)) else { return Ok(()) };
        // A run that a graph leads is asked for until it has ended.
        match self.store.run(*run).await? {
            Some(found) if found.info.graph_name != NAME => Ok(()),
            _ => self.apply(Op::Gc { run: *run }).await,
        }
    }

    /// Reserves a key for some job, or settles it.
    async fn use_key(&self) -> Result<(), Error> {
        let (chaos, info) = (&self.chaos, self.pick());
        let cache = chaos.below(4) == 0;
        let text = format!("key {} of {}", chaos.below(3), info.id);
        let name = KeyName { tenant: TenantId::local(), tool: "sim.keyed".to_owned(), text, cache };
        let node = NodePath::parse("keyed").map_err(|error| Error::Broken(error.to_string()))?;
        let index = u32::try_from(chaos.below(3)).unwrap_or(0);
        let job = JobId { run: info.id, r#gen: Gen(0), group: GroupId { node, activation: 1 }, index };
        if chaos.below(2) == 0 {
            return self.apply(Op::Reserve(Reserve { name, job, lease_ms: 500 + chaos.below(2_000) })).await;
        }
        let outcome = (chaos.below(3) > 0).then(|| format!("{{\"ok\":{{\"inline\":{}}}}}", chaos.below(1_000)));
        let keep_ms = 500 + chaos.below(3_000);
        self.apply(Op::Settle(Box::new(Settle { name, job, outcome, keep_ms }))).await
    }

    /// Claims a job time and again, by workers of which none lives longer than a moment.
    async fn lose_workers(&self) -> Result<(), Error> {
        let Some(detail) = self.store.detail(self.pick().id).await? else { return Ok(()) };
        let Some((job, digest)) = waiting(&detail) else { return Ok(()) };
        for _ in 0..=self.timings.infra_attempts_max {
            let (worker, request) = (WorkerId(self.chaos.below(u64::MAX)), ClaimRequest(self.chaos.below(u64::MAX)));
            let _ = self.apply(Op::Claim(Claim { job: job.clone(), digest, worker, request, lease_ms: 1 })).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Tells a thread more than it keeps, of what nobody waits for.
    async fn flood(&self) -> Result<(), Error> {
        let (thread, flood) = (self.pick().thread.clone(), self.chaos.below(1_000));
        let name = format!("not {SIGNAL}");
        for number in 0..SIGNALS_MAX + SIGNALS_MAX / 10 {
            let (id, value) = (format!("flood-{flood}-{number}"), "true".to_owned());
            let (thread, name) = (thread.clone(), name.clone());
            // One that is lost is one less.
            let signal = Signal { thread, name, id, value, actor: Actor::local() };
            let _ = self.apply(Op::Signal(Box::new(signal))).await;
        }
        Ok(())
    }
}

/// A job of a run that waits for a worker, and its input.
fn waiting(detail: &RunDetail) -> Option<(JobId, Digest)> {
    let (run, r#gen) = (detail.run.info.id, detail.run.state.r#gen);
    for (group, tasks) in detail.groups.iter().filter(|(group, _)| group.info.kind == TaskKind::Job) {
        for (index, task) in (0_u32..).zip(tasks) {
            if matches!(task.state, TaskState::Publishable { .. } | TaskState::Dispatched { .. }) {
                return Some((JobId { run, r#gen, group: group.info.id.clone(), index }, task.digest));
            }
        }
    }
    None
}
