//! Random turns, forks, edits, retries, changes of version and keys.

use baton_common::ids::{Actor, Gen, GraphHash, JobId, RunId, Seq, ThreadKey, Version};
use baton_common::job::Outcome;
use baton_common::records::{Origin, RunStatus, SetBack, Thread};
use baton_common::transition::{Edit, Fork, OnBusy, Op, PopDue, Prune, Repin, Reserve, Retry, Settle, Submit};
use baton_common::{Digest, Timestamp};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::json;

use super::super::differential::PARTITION;
use super::super::world::{GroupPlan, checkpoint, key_name, thread};
use super::{Generator, body};
use crate::memory::MemoryStore;
use crate::{Reader, RunDetail};

impl Generator {
    /// A submit that interrupts, takes back or forks.
    pub(super) async fn turn(&mut self, store: &MemoryStore, mut submit: Submit, now: Timestamp) -> Op {
        let key = submit.info.thread.clone();
        let known = store.thread(&key).await.ok().flatten();
        match self.rng.random_range(0..3) {
            0 => submit.on_busy = OnBusy::Interrupt,
            1 => {
                submit.on_busy = OnBusy::Rollback;
                let active = known.as_ref().and_then(|thread| thread.active);
                let active =
                    active.filter(|_| self.rng.random_bool(0.9)).or_else(|| self.runs.choose(&mut self.rng).copied());
                if let (Some(active), Some(thread)) = (active, known) {
                    submit.set_back = Some((active, self.back(&thread)));
                }
            }
            _ => {
                let fresh = thread(&format!("fork{}", self.rng.random_range(0..30)));
                if self.rng.random_bool(0.9) {
                    submit.info.thread = fresh;
                }
                let again = thread(&format!("fork{}", self.rng.random_range(0..30)));
                let forked = store.thread(&again).await.ok().flatten().filter(|_| self.rng.random_bool(0.5));
                if let Some(source) = forked.or(known) {
                    submit.fork = Some(Box::new(self.fork(&submit, &source.key, &source, now)));
                }
            }
        }
        Op::Submit(Box::new(submit))
    }

    fn fork(&mut self, submit: &Submit, key: &ThreadKey, source: &Thread, now: Timestamp) -> Fork {
        let head = self.back(source);
        let edit = self.rng.random_bool(0.4).then(|| {
            let (checkpoint, segment) = checkpoint(submit.info.id, head.seq, 1, now);
            (checkpoint.into(), vec![segment])
        });
        Fork { origin: Origin { thread: key.clone(), seq: head.seq }, head, edit }
    }

    /// An earlier state of a thread.
    fn back(&mut self, thread: &Thread) -> SetBack {
        let seq = Seq(self.rng.random_range(0..=thread.head.0));
        let channels = thread.channels.iter().filter(|(_, at)| **at <= seq);
        SetBack { seq, channels: channels.map(|(channel, at)| (channel.clone(), *at)).collect() }
    }

    pub(super) async fn edit(&mut self, store: &MemoryStore, detail: &RunDetail, now: Timestamp) -> Op {
        let (info, state) = (&detail.run.info, &detail.run.state);
        let known = store.thread(&info.thread).await.ok().flatten();
        let (head, next) = known.map_or_else(Default::default, |thread| (thread.head, thread.next_seq()));
        let parent = if self.rng.random_bool(0.9) { head } else { Seq(head.0.saturating_sub(1)) };
        let (mut checkpoint, segment) = checkpoint(info.id, parent, state.superstep + 1, now);
        checkpoint.seq = next;
        let unknown = self.rng.random_bool(0.05);
        let thread = if unknown { thread("nobody") } else { info.thread.clone() };
        Op::Edit(Box::new(Edit {
            thread,
            checkpoint: checkpoint.into(),
            segments: vec![segment],
            actor: Actor::local(),
        }))
    }

    /// Mostly of a run that may be taken up again.
    pub(super) async fn retry(&mut self, store: &MemoryStore) -> Op {
        let mut wanted = None;
        for run in self.runs.clone() {
            let Some(found) = store.run(run).await.ok().flatten() else { continue };
            let may = matches!(found.state.status, RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck);
            if wanted.is_none() || may && self.rng.random_bool(0.3) {
                wanted = Some(found);
            }
        }
        let Some(found) = wanted else { return Op::PopDue(PopDue { partition: PARTITION, limit: 1, hide_ms: 1 }) };
        let known = store.thread(&found.info.thread).await.ok().flatten();
        let from = known.filter(|_| self.rng.random_bool(0.3)).map(|thread| self.back(&thread));
        let stale = self.rng.random_bool(0.15);
        let seen = if stale { Gen(found.state.r#gen.0.saturating_sub(1)) } else { found.state.r#gen };
        let mut run = found.info.id;
        if self.rng.random_bool(0.03) {
            run.uuid = uuid::Uuid::nil();
        }
        let deadline =
            self.rng.random_bool(0.3).then(|| found.state.created_at.plus_ms(self.rng.random_range(1..60_000)));
        Op::Retry(Box::new(Retry { run, seen, from, deadline, actor: Actor::local(), operation: String::new() }))
    }

    /// Of the thread of a run, or of one of a few.
    pub(super) async fn prune(&mut self, store: &MemoryStore, run: RunId) -> Op {
        let found = store.run(run).await.ok().flatten().filter(|_| self.rng.random_bool(0.5));
        let key = match found {
            Some(found) => found.info.thread,
            None if self.rng.random_bool(0.5) => thread(["a", "b", "c"][self.rng.random_range(0..3)]),
            None => thread(&format!("fork{}", self.rng.random_range(0..30))),
        };
        let known = store.thread(&key).await.ok().flatten();
        let head = known.map_or(0, |thread| thread.head.0);
        let below = self.rng.random_bool(0.8).then(|| Seq(self.rng.random_range(0..=head + 1)));
        Op::Prune(Prune { thread: key, below })
    }

    /// To one of few versions, so that now and then it is the one it has.
    pub(super) fn repin(&mut self, detail: &RunDetail) -> Op {
        let (mut run, ver) = (detail.run.info.id, detail.run.state.ver);
        if self.rng.random_bool(0.05) {
            run.uuid = uuid::Uuid::nil();
        }
        let seen = if self.rng.random_bool(0.9) { ver } else { Version(ver.0 - 1) };
        let graph = GraphHash(Digest::of(["graph", "second", "third"][self.rng.random_range(0..3)]));
        Op::Repin(Repin { run, seen, graph, actor: Actor::local() })
    }

    pub(super) fn key_op(&mut self) -> Op {
        let name = key_name(self.rng.random_range(0..3), self.rng.random_bool(0.3));
        let run = self.runs.choose(&mut self.rng).copied();
        let run = run.unwrap_or(RunId { partition: PARTITION, uuid: uuid::Uuid::nil() });
        let job = JobId { run, r#gen: Gen(0), group: GroupPlan::job("a").id(), index: self.rng.random_range(0..2) };
        if self.rng.random_bool(0.5) {
            return Op::Reserve(Reserve { name, job, lease_ms: self.rng.random_range(10..6_000) });
        }
        let outcome = self.rng.random_bool(0.4).then(|| body(&Outcome::value(json!({"kept": 1}))));
        let keep_ms = self.rng.random_range(10..10_000);
        Op::Settle(Box::new(Settle { name, job, outcome, keep_ms }))
    }
}
