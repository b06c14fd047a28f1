//! What happens to tasks at random: publication, claims, outcomes, answers, times, signals.

use baton_common::ids::{Actor, ClaimRequest, DispatchSeq, InterruptId, JobId, WorkerId};
use baton_common::job::Outcome;
use baton_common::records::{DueKind, InterruptState, TaskKind, TaskState};
use baton_common::transition::{
    Answer, Claim, Dead, Deliver, Expire, Fire, Mark, Op, Record, Recorded, Renew, Republish, Signal,
};
use baton_common::{Digest, ErrorClass, Failure, Fence};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::json;

use super::super::differential::PARTITION;
use super::super::world::thread;
use super::{Generator, Pick, body};
use crate::memory::MemoryStore;
use crate::{Reader, RunDetail};

impl Generator {
    pub(super) async fn task_op(&mut self, store: &MemoryStore, detail: &RunDetail, pick: Pick) -> Op {
        let asks = detail.interrupts.iter().any(|asked| {
            asked.state == InterruptState::Open
                && asked.job.group == pick.job.group
                && asked.job.index == pick.job.index
        });
        if asks && self.rng.random_bool(0.6) || self.rng.random_bool(0.05) {
            return self.answer(detail, pick.job);
        }
        if pick.kind == TaskKind::Wait && self.rng.random_bool(0.8) {
            return self.deliver(store, detail, pick).await;
        }
        match (pick.task.state, self.rng.random_range(0..100)) {
            (TaskState::Claimed { .. }, 0..50) => return self.record(pick),
            (TaskState::Publishable { .. } | TaskState::Dispatched { .. }, 0..50) => return self.claim(pick),
            _ => {}
        }
        match self.rng.random_range(0..100) {
            0..12 => self.mark(pick),
            12..45 => self.claim(pick),
            45..52 => self.renew(detail),
            52..85 => self.record(pick),
            85..93 => Op::Expire(Expire { job: pick.job }),
            93..95 => self.dead(pick),
            95..98 => Op::Republish(Republish { seq: pick.task.dispatch_seq, job: pick.job }),
            _ => Op::Recheck { run: pick.job.run, group: pick.job.group, ms: 700 },
        }
    }

    /// An operator decides about a job.
    fn dead(&mut self, pick: Pick) -> Op {
        let seen = if self.rng.random_bool(0.9) { pick.task.dispatch_seq } else { DispatchSeq(99) };
        let outcome = body(&Outcome::Error(Failure::permanent("dropped", "an operator gave it up")));
        let drop = self.rng.random_bool(0.5).then_some(outcome);
        Op::Dead(Box::new(Dead { job: pick.job, seen, drop, actor: Actor::local(), operation: "many".to_owned() }))
    }

    /// What a run's thread is told, and what is made of it.
    pub(super) async fn signal_op(&mut self, store: &MemoryStore, detail: &RunDetail) -> Op {
        let info = &detail.run.info;
        let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
        if self.rng.random_bool(0.6) {
            let unknown = self.rng.random_bool(0.03);
            return Op::Signal(Box::new(Signal {
                thread: if unknown { thread("nobody") } else { root.clone() },
                name: (*["go", "stop"].choose(&mut self.rng).unwrap_or(&"go")).to_owned(),
                id: format!("signal {}", self.rng.random_range(0..200)),
                value: json!({"at": 1}).to_string(),
                actor: Actor::local(),
            }));
        }
        let due = store.due(PARTITION).await.unwrap_or_default();
        let due: Vec<_> = due.into_iter().filter(|(_, due)| due.key.kind == DueKind::Signal).collect();
        if let Some((_, due)) = due.choose(&mut self.rng).filter(|_| self.rng.clone().random_bool(0.7))
            && let Some(run) = store.run(due.key.run).await.ok().flatten()
        {
            let info = &run.info;
            let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
            let signals = store.thread(root).await.ok().flatten().map_or(0, |thread| thread.signals);
            return Op::Heard { run: info.id, signals, waits: run.state.waits };
        }
        let known = store.thread(root).await.ok().flatten();
        let mut signals = known.map_or(0, |thread| thread.signals);
        if self.rng.random_bool(0.2) {
            signals = signals.saturating_sub(1);
        }
        Op::Heard { run: info.id, signals, waits: detail.run.state.waits }
    }

    async fn deliver(&mut self, store: &MemoryStore, detail: &RunDetail, pick: Pick) -> Op {
        let info = &detail.run.info;
        let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
        let signals = store.signals(root).await.unwrap_or_default();
        let number = signals.choose(&mut self.rng).map_or(1, |signal| signal.number);
        Op::Deliver(Box::new(Deliver {
            job: pick.job,
            number,
            outcome: body(&Outcome::value(json!({"signal": number}))),
        }))
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
        let outcome = if self.rng.random_bool(0.15) {
            self.pause()
        } else if self.rng.random_bool(0.06) {
            Recorded::Returned
        } else if self.rng.random_bool(0.04) {
            let at = baton_common::Timestamp(self.rng.random_range(0..3) * 1_000 + 1_760_000_000_000);
            Recorded::Later { at, why: "quota q".to_owned() }
        } else if self.rng.random_bool(0.55) {
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

    /// A job asks, or waits.
    fn pause(&mut self) -> Recorded {
        let continuation = self.rng.random_bool(0.7).then(|| json!({"so far": [1, 2]}).to_string());
        if self.rng.random_bool(0.5) {
            let question = json!({"title": "Go on?", "form": {"schema": {}}}).to_string();
            let expires_ms = self.rng.random_bool(0.5).then(|| self.rng.random_range(10..4_000));
            return Recorded::Ask { question, continuation, expires_ms };
        }
        let continuation = continuation.map(|text| format!("{{\"continuation\":{text},\"answer\":null}}"));
        Recorded::Wait { after_ms: self.rng.random_range(0..3_000), continuation }
    }

    fn answer(&mut self, detail: &RunDetail, job: JobId) -> Op {
        let ok = self.rng.random_bool(0.7);
        let outcome =
            if ok { Outcome::value(json!({"answer": 1})) } else { Outcome::Error(Failure::permanent("refused", "no")) };
        let ordinal = u32::from(self.rng.random_bool(0.5));
        let asked = detail.interrupts.iter().find(|asked| asked.job.group == job.group && asked.job.index == job.index);
        let asked = asked.map(|asked| asked.id).filter(|_| self.rng.random_bool(0.9));
        Op::Answer(Box::new(Answer {
            interrupt: asked.unwrap_or_else(|| InterruptId::of(&job, ordinal)),
            job,
            decision: json!({"ok": ok}).to_string(),
            outcome: body(&outcome),
            ok,
            actor: Actor::local(),
        }))
    }

    pub(super) async fn fire(&mut self, store: &MemoryStore, detail: &RunDetail) -> Op {
        let pick = self.pick(detail);
        let run = detail.run.info.id;
        let due = store.due(PARTITION).await.unwrap_or_default();
        let due: Vec<_> = due.into_iter().filter(|(_, due)| due.key.kind == DueKind::Timer).collect();
        if let Some((_, due)) = due.choose(&mut self.rng).filter(|_| self.rng.clone().random_bool(0.5)) {
            return Op::Fire(Fire { run: due.key.run, group: due.key.group.clone(), index: due.key.index });
        }
        match (pick, self.rng.random_range(0..3)) {
            (Some(pick), 0) => Op::Fire(Fire { run, group: Some(pick.job.group), index: Some(pick.job.index) }),
            (Some(pick), 1) => Op::Fire(Fire { run, group: Some(pick.job.group), index: None }),
            _ => Op::Fire(Fire { run, group: None, index: None }),
        }
    }
}
