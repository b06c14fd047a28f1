//! Random operations that make sense often enough: mostly what a driver, a worker or a
//! sweeper would do next, now and then something stale, repeated or wrong.

use baton_common::commit::{Commit, RunEnd};
use baton_common::ids::{Actor, ClaimRequest, DispatchSeq, InterruptId, JobId, RunId, WorkerId};
use baton_common::job::Outcome;
use baton_common::records::{GroupPhase, RunStatus, Task, TaskKind};
use baton_common::tool::Effect;
use baton_common::transition::{
    Answer, Cancel, Claim, Expire, Fire, Mark, OnBusy, Op, PopDue, Record, Recorded, Renew, Reply, Republish, Stage,
    Submit,
};
use baton_common::{Digest, ErrorClass, Failure, Fence, Timestamp};
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
        Self { rng: StdRng::seed_from_u64(seed), runs: Vec::new(), repeat: Vec::new(), staged: None, last_claim: None }
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
        let Some(run) = self.runs.choose(&mut self.rng).copied() else { return self.submit(now) };
        let detail = store.detail(run).await.ok().flatten();
        match (self.rng.random_range(0..100), detail) {
            (0..6, _) | (_, None) => self.submit(now),
            (6..28, Some(detail)) => self.advance(store, &detail, now).await,
            (28..31, _) => Op::Cancel(Cancel { run, actor: Actor::local() }),
            (31..38, _) => {
                Op::PopDue(PopDue { partition: PARTITION, limit: self.rng.random_range(1..6), hide_ms: 500 })
            }
            (38..40, _) => Op::Gc { run },
            (40..41, _) => Op::Park { run, reason: "test".to_owned() },
            (41..44, _) => Op::Unpark { run },
            (44..46, _) => Op::Extend { run, ms: self.rng.random_range(1..2_000) },
            (46..49, Some(detail)) => self.fire(&detail),
            (_, Some(detail)) => match self.pick(&detail) {
                Some(pick) => self.task_op(&detail, pick),
                None => self.advance(store, &detail, now).await,
            },
        }
    }

    fn submit(&mut self, now: Timestamp) -> Op {
        let thread = thread(["a", "b", "c"][self.rng.random_range(0..3)]);
        let deadline = self.rng.random_bool(0.2).then(|| now.plus_ms(self.rng.random_range(100..20_000)));
        let mut info = run_info(&thread, self.rng.random_range(0..40), deadline);
        if self.rng.random_bool(0.05) {
            info.body_digest = Digest::of("another body");
        }
        let on_busy = if self.rng.random_bool(0.7) { OnBusy::Enqueue } else { OnBusy::Reject };
        Op::Submit(Box::new(Submit::new(info, on_busy)))
    }

    fn next_staged(&mut self) -> Option<Op> {
        let (commit, chunks) = self.staged.as_mut()?;
        if let Some(chunk) = chunks.pop() {
            return Some(Op::Stage(chunk));
        }
        let commit = commit.clone();
        self.staged = None;
        Some(Op::Advance(Box::new(commit)))
    }

    async fn advance(&mut self, store: &MemoryStore, detail: &RunDetail, now: Timestamp) -> Op {
        let (info, state) = (&detail.run.info, &detail.run.state);
        let mut consumed: Vec<_> = Vec::new();
        let mut open_groups: Vec<_> = Vec::new();
        for (group, _) in detail.groups.iter().filter(|(group, _)| !group.info.detached) {
            let closed = group.state.phase == GroupPhase::Closed;
            if closed && self.rng.random_bool(0.8) || self.rng.random_bool(0.02) {
                consumed.push(group.info.id.clone());
            } else if !closed {
                open_groups.push(group.info.id.clone());
            }
        }
        let seen = if self.rng.random_bool(0.93) { state.ver } else { baton_common::Version(state.ver.0 + 1) };
        let mut advance = commit(info.id, seen, consumed, "");
        let head = store.thread(&info.thread).await.ok().flatten().map_or(baton_common::Seq(0), |thread| thread.head);
        let (checkpoint, segment) = checkpoint(info.id, head, state.superstep, now);
        let base = checkpoint.seq;
        advance.checkpoints.push(checkpoint);
        advance.segments.push(segment);
        if let Some(id) = open_groups.choose(&mut self.rng).filter(|_| self.rng.clone().random_bool(0.15)) {
            advance.cancelled.push(id.clone());
        }
        let ends = state.status == RunStatus::Cancelling || self.rng.random_bool(0.12);
        if ends {
            let status = match state.status {
                RunStatus::Cancelling if self.rng.random_bool(0.9) => RunStatus::Cancelled,
                _ => RunStatus::Succeeded,
            };
            advance.end = Some(RunEnd { status, output: Some(json!({"done": true})), failure: None, owed: None });
            return Op::Advance(Box::new(advance));
        }
        let mut plans: Vec<GroupPlan> = Vec::new();
        for node in ["a", "b", "c"] {
            let taken = detail.groups.iter().any(|(group, _)| group.info.id.node.as_str() == node);
            if !taken && self.rng.random_bool(0.4) {
                plans.push(self.plan(node, u32::try_from(state.superstep).unwrap_or(0) + 1, now));
            }
        }
        self.open(advance, plans, base)
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
            return Op::Advance(Box::new(advance));
        }
        if self.rng.random_bool(0.1) {
            chunks.pop();
        }
        self.staged = Some((advance, chunks));
        self.next_staged().unwrap_or(Op::PopDue(PopDue { partition: PARTITION, limit: 1, hide_ms: 1 }))
    }

    fn plan(&mut self, node: &str, activation: u32, now: Timestamp) -> GroupPlan {
        let mut plan = if self.rng.random_bool(0.25) { GroupPlan::ask(node) } else { GroupPlan::job(node) };
        plan.activation = activation;
        plan.count = match self.rng.random_range(0..20) {
            0..10 => 1,
            10..19 => self.rng.random_range(2..6),
            _ => self.rng.random_range(61..140),
        };
        plan.window = self.rng.random_range(1..=plan.count);
        plan.need_ok = if self.rng.random_bool(0.7) { plan.count } else { self.rng.random_range(1..=plan.count) };
        plan.max_failed = if self.rng.random_bool(0.5) { 0 } else { self.rng.random_range(0..=plan.count) };
        plan.attempts_max = self.rng.random_range(1..4);
        plan.effect = [Effect::Pure, Effect::Idempotent, Effect::Once][self.rng.random_range(0..3)];
        if plan.kind == TaskKind::Job && self.rng.random_bool(0.1) {
            plan.detached = true;
            plan.count = 1;
            (plan.window, plan.need_ok, plan.max_failed) = (1, 1, 0);
        }
        if self.rng.random_bool(0.2) {
            plan.deadline = Some(now.plus_ms(self.rng.random_range(10..4_000)));
        }
        if plan.kind == TaskKind::Ask && self.rng.random_bool(0.5) {
            plan.expires_ms = Some(self.rng.random_range(10..4_000));
        }
        plan
    }

    fn pick(&mut self, detail: &RunDetail) -> Option<Pick> {
        let (group, tasks) = detail.groups.choose(&mut self.rng)?;
        let index = self.rng.random_range(0..tasks.len().max(1));
        let task = tasks.get(index)?.clone();
        let job = JobId {
            run: detail.run.info.id,
            r#gen: detail.run.state.r#gen,
            group: group.info.id.clone(),
            index: u32::try_from(index).ok()?,
        };
        Some(Pick { job, task, kind: group.info.kind })
    }

    fn task_op(&mut self, detail: &RunDetail, pick: Pick) -> Op {
        if pick.kind == TaskKind::Ask || self.rng.random_bool(0.05) {
            return self.answer(pick.job);
        }
        match self.rng.random_range(0..100) {
            0..12 => self.mark(pick),
            12..45 => self.claim(pick),
            45..52 => self.renew(detail),
            52..85 => self.record(pick),
            85..93 => Op::Expire(Expire { job: pick.job }),
            93..97 => Op::Republish(Republish { seq: pick.task.dispatch_seq, job: pick.job }),
            _ => Op::Recheck { run: pick.job.run, group: pick.job.group, ms: 700 },
        }
    }

    fn mark(&mut self, pick: Pick) -> Op {
        let seq = if self.rng.random_bool(0.9) { pick.task.dispatch_seq } else { DispatchSeq(99) };
        let index = pick.job.index;
        let mut tasks = vec![(pick.job.group.clone(), index, seq)];
        if self.rng.random_bool(0.5) {
            tasks.push((pick.job.group.clone(), index + 1, seq));
        }
        Op::Mark(Mark { run: pick.job.run, tasks })
    }

    fn claim(&mut self, pick: Pick) -> Op {
        if self.rng.random_bool(0.1)
            && let Some(claim) = self.last_claim.clone()
        {
            return Op::Claim(claim);
        }
        let digest = if self.rng.random_bool(0.95) { pick.task.digest } else { Digest::of("another input") };
        let claim = Claim {
            job: pick.job,
            digest,
            worker: WorkerId(self.rng.random_range(1..3)),
            request: ClaimRequest(self.rng.random()),
            lease_ms: self.rng.random_range(50..3_000),
        };
        self.last_claim = Some(claim.clone());
        Op::Claim(claim)
    }

    fn renew(&mut self, detail: &RunDetail) -> Op {
        let mut leases = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            if let Some(pick) = self.pick(detail) {
                leases.push((pick.job, pick.task.fence));
            }
        }
        let worker = WorkerId(self.rng.random_range(1..3));
        Op::Renew(Renew { partition: PARTITION, worker, leases, lease_ms: 1_000 })
    }

    fn record(&mut self, pick: Pick) -> Op {
        let fence = match self.rng.random_range(0..10) {
            0 => Fence(pick.task.fence.0.saturating_sub(1)),
            1 => Fence(pick.task.fence.0 + 1),
            _ => pick.task.fence,
        };
        let digest = if self.rng.random_bool(0.95) { pick.task.digest } else { Digest::of("another input") };
        let outcome = if self.rng.random_bool(0.55) {
            let size = if self.rng.random_bool(0.03) { 150_000 } else { 10 };
            Recorded::Ok(body(&Outcome::value("x".repeat(size))))
        } else {
            let class = *ErrorClass::ALL.choose(&mut self.rng).unwrap_or(&ErrorClass::Transient);
            let code = if self.rng.random_bool(0.2) { "again" } else { "broken" };
            Recorded::Error {
                class,
                code: code.to_owned(),
                retry_after_ms: self.rng.random_bool(0.3).then_some(750),
                body: body(&Outcome::Error(Failure::new(class, code, "as told"))),
            }
        };
        Op::Record(Box::new(Record { job: pick.job, digest, fence, outcome }))
    }

    fn answer(&mut self, job: JobId) -> Op {
        let ok = self.rng.random_bool(0.7);
        let outcome =
            if ok { Outcome::value(json!({"answer": 1})) } else { Outcome::Error(Failure::permanent("refused", "no")) };
        let ordinal = u32::from(self.rng.random_bool(0.05));
        Op::Answer(Box::new(Answer {
            interrupt: InterruptId::of(&job, ordinal),
            job,
            decision: json!({"ok": ok}).to_string(),
            outcome: body(&outcome),
            ok,
            actor: Actor::local(),
        }))
    }

    fn fire(&mut self, detail: &RunDetail) -> Op {
        let pick = self.pick(detail);
        let run = detail.run.info.id;
        match (pick, self.rng.random_range(0..3)) {
            (Some(pick), 0) => Op::Fire(Fire { run, group: Some(pick.job.group), index: Some(pick.job.index) }),
            (Some(pick), 1) => Op::Fire(Fire { run, group: Some(pick.job.group), index: None }),
            _ => Op::Fire(Fire { run, group: None, index: None }),
        }
    }
}

fn body(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("an outcome is JSON")
}
