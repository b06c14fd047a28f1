//! Random operations that make sense often enough: mostly what a driver, a worker or a
//! sweeper would do next, now and then something stale, repeated or wrong.

mod history;
mod plans;
mod schedules;
mod tasks;

use baton_common::commit::{Commit, RunEnd};
use baton_common::ids::{Actor, JobId, RunId};
use baton_common::job::Outcome;
use baton_common::records::{GroupPhase, RunState, RunStatus, Task, TaskKind, TaskState};
use baton_common::transition::{
    AdvanceAnswer, AnswerVerdict, Cancel, Claim, ClaimVerdict, DeadAnswer, DeliverAnswer, ExpireAnswer, FireAnswer,
    OnBusy, Op, PopDue, RecordVerdict, Reply, RetryAnswer, Stage, Submit, Tail,
};
use baton_common::{Digest, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::differential::PARTITION;
use super::world::{GroupPlan, checkpoint, commit, run_info, thread};
use crate::memory::MemoryStore;
use crate::{Reader, RunDetail};

/// Makes operations from a seed and from what the reference store holds.
pub(super) struct Generator {
    rng: StdRng,
    runs: Vec<RunId>,
    repeat: Vec<Op>,
    staged: Option<(Commit, Vec<Stage>)>,
    last_claim: Option<Claim>,
}

/// A task somewhere in the store.
struct Pick {
    job: JobId,
    task: Task,
    kind: TaskKind,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, runs: Vec::new(), repeat: Vec::new(), staged: None, last_claim: None }
    }

    /// The runs so far.
    pub(super) fn runs(&self) -> &[RunId] {
        &self.runs
    }

    /// A run, more often one that is under way.
    async fn some_run(&mut self, store: &MemoryStore) -> Option<RunId> {
        let mut run = None;
        for _ in 0..4 {
            run = self.runs.choose(&mut self.rng).copied();
            let found = store.run(run?).await.ok().flatten();
            let live =
                found.is_some_and(|found| !found.state.status.is_terminal() && found.state.status != RunStatus::Queued);
            if live {
                break;
            }
        }
        run
    }

    pub(super) fn pause_ms(&mut self) -> u64 {
        match self.rng.random_range(0..10) {
            0..6 => self.rng.random_range(0..5),
            6..9 => self.rng.random_range(0..400),
            _ => self.rng.random_range(0..8_000),
        }
    }

    pub(super) fn learn(&mut self, op: &Op, reply: &Reply) {
        if let (Op::Submit(submit), Reply::Submit(_)) = (op, reply)
            && !self.runs.contains(&submit.info.id)
        {
            self.runs.push(submit.info.id);
        }
        for run in started(reply) {
            if !self.runs.contains(&run) {
                self.runs.push(run);
            }
        }
        if self.rng.random_bool(0.1) {
            self.repeat.push(op.clone());
        }
    }

    pub(super) async fn next_op(&mut self, store: &MemoryStore, now: Timestamp) -> Op {
        if let Some(op) = self.next_staged() {
            return op;
        }
        if self.rng.random_bool(0.04)
            && let Some(op) = self.repeat.choose(&mut self.rng).cloned()
        {
            return op;
        }
        let Some(run) = self.some_run(store).await else { return self.submit(store, now).await };
        if self.rng.random_bool(0.01) {
            let run = RunId { uuid: uuid::Uuid::nil(), ..run };
            return Op::Cancel(Cancel { run, actor: Actor::local(), operation: String::new() });
        }
        let detail = store.detail(run).await.ok().flatten();
        let status = detail.as_ref().map(|detail| detail.run.state.status);
        if status == Some(RunStatus::Stuck) && self.rng.random_bool(0.3) {
            return Op::Unpark { run, actor: Actor::local(), operation: String::new() };
        }
        match (self.rng.random_range(0..100), detail) {
            (0..5, _) | (_, None) => self.submit(store, now).await,
            (5..24, Some(detail)) => self.advance(store, &detail, now).await,
            (28..31, _) => Op::Cancel(Cancel { run, actor: Actor::local(), operation: String::new() }),
            (31..37, _) => {
                Op::PopDue(PopDue { partition: PARTITION, limit: self.rng.random_range(1..6), hide_ms: 500 })
            }
            (37..38, _) => Op::Force { run },
            (38..40, _) => Op::Gc { run },
            (27..28, _) => self.prune(store, run).await,
            (40..41, _) => Op::Park { run, reason: "test".to_owned() },
            (41..44, _) => Op::Unpark { run, actor: Actor::local(), operation: String::new() },
            (44..46, _) => Op::Extend { run, ms: self.rng.random_range(1..2_000), untried: self.rng.random() },
            (46..50, Some(detail)) => self.fire(store, &detail).await,
            (50..55, Some(detail)) => self.signal_op(store, &detail).await,
            (55..57, Some(detail)) => self.edit(store, &detail, now).await,
            (57..60, _) => self.key_op(),
            (60..62, _) => self.retry(store).await,
            (62..63, Some(detail)) => self.repin(&detail),
            (63..65, _) => self.schedule_op(store, now).await,
            (_, Some(detail)) => match self.pick(&detail) {
                Some(pick) => self.task_op(store, &detail, pick).await,
                None => self.advance(store, &detail, now).await,
            },
        }
    }

    async fn submit(&mut self, store: &MemoryStore, now: Timestamp) -> Op {
        let thread = thread(["a", "b", "c"][self.rng.random_range(0..3)]);
        let deadline = self.rng.random_bool(0.2).then(|| now.plus_ms(self.rng.random_range(100..20_000)));
        let mut info = run_info(&thread, self.rng.random_range(0..40), deadline);
        if self.rng.random_bool(0.05) {
            info.body_digest = Digest::of("another body");
        }
        let on_busy = if self.rng.random_bool(0.7) { OnBusy::Enqueue } else { OnBusy::Reject };
        let submit = Submit { lasting: self.rng.random_bool(0.5), ..Submit::new(info, on_busy) };
        if self.rng.random_bool(0.35) {
            return self.turn(store, submit, now).await;
        }
        Op::Submit(Box::new(submit))
    }

    fn next_staged(&mut self) -> Option<Op> {
        let (commit, chunks) = self.staged.as_mut()?;
        if let Some(chunk) = chunks.pop() {
            return Some(Op::Stage(chunk));
        }
        let commit = commit.clone();
        self.staged = None;
        Some(Op::Advance(commit.into()))
    }

    async fn advance(&mut self, store: &MemoryStore, detail: &RunDetail, now: Timestamp) -> Op {
        let (info, state) = (&detail.run.info, &detail.run.state);
        let (mut consumed, mut closed_at): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        let mut open_groups: Vec<_> = Vec::new();
        for (group, _) in detail.groups.iter().filter(|(group, _)| !group.info.detached) {
            let closed = group.state.phase == GroupPhase::Closed;
            if closed && self.rng.random_bool(0.8) || self.rng.random_bool(0.02) {
                consumed.push(group.info.id.clone());
                closed_at.extend(group.state.closed_at);
            } else if !closed {
                open_groups.push(group.info.id.clone());
            }
        }
        let seen = if self.rng.random_bool(0.93) { state.ver } else { baton_common::Version(state.ver.0 + 1) };
        let mut advance = commit(info.id, seen, consumed, "");
        self.sees_history(&mut advance, state, closed_at);
        let thread = store.thread(&info.thread).await.ok().flatten();
        let (head, next) = thread.map_or_else(Default::default, |thread| (thread.head, thread.next_seq()));
        let (mut checkpoint, segment) = checkpoint(info.id, head, state.superstep, now);
        checkpoint.seq = next;
        let base = checkpoint.seq;
        advance.checkpoints.push(checkpoint.into());
        advance.segments.push(segment);
        if let Some(id) = open_groups.choose(&mut self.rng).filter(|_| self.rng.clone().random_bool(0.15)) {
            advance.cancelled.push(id.clone());
        }
        let turns = matches!(state.status, RunStatus::Running | RunStatus::Cancelling | RunStatus::Undoing);
        advance.undoing = turns && self.rng.random_bool(0.08);
        let stops = state.status == RunStatus::Cancelling && !advance.undoing;
        let ends = stops || self.rng.random_bool(0.08);
        if ends {
            let status = match state.status {
                RunStatus::Cancelling if self.rng.random_bool(0.9) => RunStatus::Cancelled,
                _ => *[RunStatus::Succeeded, RunStatus::Failed].choose(&mut self.rng).unwrap_or(&RunStatus::Failed),
            };
            advance.end = Some(RunEnd { status, output: Some(json!({"done": true})), failure: None, owed: None });
            return Op::Advance(advance.into());
        }
        let mut plans: Vec<GroupPlan> = Vec::new();
        for node in ["a", "b", "c"] {
            let taken = detail.groups.iter().any(|(group, _)| {
                let again = group.info.detached && state.r#gen.0 > 0;
                group.info.id.node.as_str() == node && !again
            });
            if !taken && self.rng.random_bool(0.4) {
                let mut plan = self.plan(node, detail, now);
                plan.undo = !plan.detached && (advance.undoing || state.undoing) && self.rng.random_bool(0.8);
                plans.push(plan);
            }
        }
        self.open(advance, plans, base)
    }

    /// Says what history an advance was computed from, now and then that of another.
    fn sees_history(&mut self, advance: &mut Commit, state: &RunState, closed_at: Vec<Timestamp>) {
        if self.rng.random_bool(0.7) {
            let other = self.rng.random_bool(0.05).then(|| Digest::of("another history"));
            advance.after = other.or(state.last_op);
        }
        if self.rng.random_bool(0.7) && closed_at.len() == advance.consumed.len() {
            let late = if self.rng.random_bool(0.05) { 1 } else { 0 };
            advance.closed_at = closed_at.into_iter().map(|at| at.plus_ms(late)).collect();
        }
    }

    /// Puts the groups into the advance; tasks of wide ones are staged first.
    fn open(&mut self, mut advance: Commit, plans: Vec<GroupPlan>, base: baton_common::Seq) -> Op {
        let mut chunks = Vec::new();
        for plan in plans {
            let staged = plan.count > 60;
            advance.open.push(plan.new_group(advance.run, base, staged));
            if staged {
                advance.staged += plan.count;
                for (place, tasks) in plan.tasks(advance.run).chunks(50).enumerate() {
                    chunks.push(Stage {
                        run: advance.run,
                        op: advance.op,
                        group: plan.id(),
                        first: u32::try_from(place * 50).unwrap_or(0),
                        tasks: tasks.to_vec(),
                    });
                }
            }
        }
        if chunks.is_empty() {
            return Op::Advance(advance.into());
        }
        if self.rng.random_bool(0.1) {
            chunks.pop();
        }
        self.staged = Some((advance, chunks));
        self.next_staged().unwrap_or(Op::PopDue(PopDue { partition: PARTITION, limit: 1, hide_ms: 1 }))
    }

    fn pick(&mut self, detail: &RunDetail) -> Option<Pick> {
        let (group, tasks) = detail.groups.choose(&mut self.rng)?;
        let mut index = self.rng.random_range(0..tasks.len().max(1));
        let open = |task: &Task| !task.state.is_ended() && task.state != TaskState::Held;
        for _ in 0..3 {
            if tasks.get(index).is_some_and(open) {
                break;
            }
            index = self.rng.random_range(0..tasks.len().max(1));
        }
        let task = tasks.get(index)?.clone();
        let job = JobId {
            run: detail.run.info.id,
            r#gen: detail.run.state.r#gen,
            group: group.info.id.clone(),
            index: u32::try_from(index).ok()?,
        };
        Some(Pick { job, task, kind: group.info.kind })
    }
}

/// What a reply says was led to.
fn tail(reply: &Reply) -> Option<&Tail> {
    match reply {
        Reply::Advance(AdvanceAnswer::Advanced { parent: Some(above), .. }) => Some(&above.1),
        Reply::Claim(ClaimVerdict::Poison(tail)) => Some(tail),
        Reply::Record(RecordVerdict::Ok(tail))
        | Reply::Expire(ExpireAnswer::Ended(tail))
        | Reply::Answer(AnswerVerdict::Ok(tail))
        | Reply::Fire(FireAnswer::Fired(tail))
        | Reply::Deliver(DeliverAnswer::Taken(tail))
        | Reply::Dead(DeadAnswer::Done(tail))
        | Reply::Retry(RetryAnswer::Retried(tail)) => Some(tail),
        _ => None,
    }
}

/// Children that a reply says were started.
fn started(reply: &Reply) -> Vec<RunId> {
    let mut started = tail(reply).map(|tail| tail.ready.clone()).unwrap_or_default();
    if let Reply::Advance(AdvanceAnswer::Advanced { children, .. }) = reply {
        started.extend(children);
    }
    started
}

/// What else a reply shows was reached, by names for the census.
pub(super) fn reached(reply: &Reply) -> Vec<&'static str> {
    let mut reached = Vec::new();
    if let Some(tail) = tail(reply) {
        reached.extend((!tail.released.is_empty()).then_some("a tail releases a job"));
        reached.extend((tail.released.len() > 1).then_some("a tail releases several jobs"));
        reached.extend(tail.closed.is_some().then_some("a tail closes a group"));
        reached.extend((!tail.ready.is_empty()).then_some("a tail starts a child"));
    }
    if let Reply::Advance(AdvanceAnswer::Advanced { children, parent, next, .. }) = reply {
        reached.extend((!children.is_empty()).then_some("an advance starts a child"));
        reached.extend(parent.is_some().then_some("a child's end is recorded"));
        reached.extend(next.is_some().then_some("a queued run has its turn"));
    }
    reached
}

fn body(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("an outcome is JSON")
}
