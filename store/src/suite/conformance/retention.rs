//! How long threads live, and what goes of them before.

use baton_common::ids::{RunId, Seq, ThreadKey};
use baton_common::records::{DueKey, DueKind, Origin, RunStatus, SetBack, Thread};
use baton_common::transition::{
    Fork, OnBusy, Op, PRUNED_MAX, Prune, PruneAnswer, Reply, Retry, RetryAnswer, Submit, SubmitAnswer,
};
use baton_common::{Actor, Gen, Timestamp};

use super::super::world::{checkpoint, run_info, thread};
use super::Story;

impl Story<'_> {
    pub(super) async fn retention(&mut self) {
        self.a_thread_made_for_a_run_goes_with_it().await;
        self.a_named_thread_outlives_its_runs().await;
        self.a_thread_that_is_used_loses_what_nobody_needs().await;
        self.a_fork_keeps_what_it_shares().await;
        self.what_was_removed_is_no_place_to_go_on_from().await;
    }

    /// A run of a thread of that name, alone on it or waiting.
    async fn lasting(&mut self, name: &str, lasting: bool) -> (RunId, ThreadKey) {
        self.next += 1;
        let info = run_info(&thread(name), self.next, None);
        let (run, key) = (info.id, info.thread.clone());
        let submit = Submit { lasting, ..Submit::new(info, OnBusy::Enqueue) };
        let reply = self.apply(Op::Submit(Box::new(submit))).await;
        assert!(matches!(reply, Reply::Submit(SubmitAnswer::Accepted | SubmitAnswer::Queued)), "{reply:?}");
        (run, key)
    }

    /// So many checkpoints of a run, the first of a thread and every hundredth of them full.
    async fn steps(&mut self, run: RunId, key: &ThreadKey, count: u64) {
        let mut left = count;
        while left > 0 {
            let head = self.thread_of(key).await.expect("the thread").head;
            let many = left.min(250);
            let (mut made, mut pieces) = (Vec::new(), Vec::new());
            for parent in head.0..head.0 + many {
                let (mut checkpoint, piece) = checkpoint(run, Seq(parent), parent, self.now);
                checkpoint.full = parent % 100 == 0;
                made.push(checkpoint.into());
                pieces.push(piece);
            }
            self.advance(run, |commit| (commit.checkpoints, commit.segments) = (made, pieces)).await;
            left -= many;
        }
    }

    async fn thread_of(&self, key: &ThreadKey) -> Option<Thread> {
        self.subject.thread(key).await.expect("a read")
    }

    async fn gc(&mut self, run: RunId) {
        assert_eq!(self.apply(Op::Gc { run }).await, Reply::Changed(true));
    }

    async fn prune(&mut self, key: &ThreadKey, below: Option<u64>) -> PruneAnswer {
        match self.apply(Op::Prune(Prune { thread: key.clone(), below: below.map(Seq) })).await {
            Reply::Prune(answer) => answer,
            other => panic!("PRUNE answered {other:?}"),
        }
    }

    /// When a thread is looked at.
    async fn looked_at(&self, key: &ThreadKey) -> Option<Timestamp> {
        let found = self.subject.due_at(key.partition(), &[DueKey::thread(key)]).await.expect("a read");
        found.into_iter().next().flatten()
    }

    /// Rows whose name has this in it, but for what the audit and the events say.
    async fn left_of(&self, name: &str) -> Vec<String> {
        let rows = self.subject.rows(super::PARTITION).await.expect("the rows");
        let told = |row: &str| row.starts_with("audit ") || row.starts_with("event ");
        rows.into_keys().filter(|row| row.contains(name) && !told(row)).collect()
    }

    async fn a_thread_made_for_a_run_goes_with_it(&mut self) {
        let (run, key) = self.lasting("retention-once", false).await;
        self.steps(run, &key, 3).await;
        self.end(run, RunStatus::Succeeded).await;
        self.gc(run).await;
        assert_eq!(self.left_of("retention-once").await, [""; 0]);
        assert_eq!(self.left_of(&run.to_string()).await, [""; 0]);
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Gone);
    }

    async fn a_named_thread_outlives_its_runs(&mut self) {
        let (run, key) = self.lasting("retention-named", true).await;
        self.steps(run, &key, 3).await;
        self.end(run, RunStatus::Succeeded).await;
        let ended = self.run(run).await.state.ended_at.expect("its end");
        self.gc(run).await;
        let until = self.looked_at(&key).await.expect("it is looked at");
        assert!(until > ended);
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Kept, "its time is to come");
        assert_eq!(self.looked_at(&key).await, Some(until));
        // Another run on it: it lives on, whenever it is looked at.
        let (next, _) = self.lasting("retention-named", true).await;
        self.now = until;
        assert_eq!(self.prune(&key, None).await, PruneAnswer::May { from: Seq(1), bound: Seq(3) });
        self.end(next, RunStatus::Cancelled).await;
        self.gc(next).await;
        assert_eq!(self.thread_of(&key).await.map(|thread| thread.head), Some(Seq(3)));
        self.now = self.looked_at(&key).await.expect("it is looked at");
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Gone);
        assert_eq!(self.left_of("retention-named").await, [""; 0]);
    }

    async fn a_thread_that_is_used_loses_what_nobody_needs(&mut self) {
        let (first, key) = self.lasting("retention-long", false).await;
        let (second, _) = self.lasting("retention-long", false).await;
        let many = 2 * PRUNED_MAX + 50;
        self.steps(first, &key, many).await;
        self.end(first, RunStatus::Failed).await;
        assert_eq!(self.run(second).await.state.base, Seq(many));
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Kept, "the first can be looked at and taken up again");
        self.steps(second, &key, 5).await;
        self.gc(first).await;
        assert!(self.looked_at(&key).await.is_some(), "what it needed is looked for");
        let bound = PruneAnswer::May { from: Seq(1), bound: Seq(many) };
        assert_eq!(self.prune(&key, None).await, bound);
        assert_eq!(self.prune(&key, Some(many + 1)).await, bound, "the second needs it");
        let full = many - many % 100 + 1 - 100;
        assert_eq!(self.prune(&key, Some(full)).await, PruneAnswer::Pruned { more: true }, "a share at a time");
        assert!(self.looked_at(&key).await.is_some(), "whoever comes next goes on with it");
        assert_eq!(self.prune(&key, Some(full)).await, PruneAnswer::Pruned { more: false });
        assert_eq!(self.looked_at(&key).await, None);
        for (seq, there) in [(1, false), (full - 1, false), (full, true), (many, true), (many + 5, true)] {
            let found = self.subject.checkpoint(&key, Seq(seq)).await.expect("a read");
            assert_eq!(found.is_some(), there, "checkpoint {seq}");
        }
        assert_eq!(self.thread_of(&key).await.map(|thread| thread.pruned), Some(Seq(full)));
    }

    async fn a_fork_keeps_what_it_shares(&mut self) {
        let (run, key) = self.lasting("retention-origin", false).await;
        self.steps(run, &key, 4).await;
        let share = |of: &ThreadKey, seq: u64| {
            let origin = Origin { thread: of.clone(), seq: Seq(seq) };
            Some(Box::new(Fork { origin, head: SetBack { seq: Seq(seq), channels: Default::default() }, edit: None }))
        };
        let child = thread("retention-fork");
        let (forked, answer) = self.submit(&child, |submit| submit.fork = share(&key, 3)).await;
        assert_eq!(answer, SubmitAnswer::Accepted);
        // A fork of the fork shares what lies at the origin, and the fork is on the way there.
        let grandchild = thread("retention-forks-fork");
        let (last, answer) = self.submit(&grandchild, |submit| submit.fork = share(&child, 2)).await;
        assert_eq!(answer, SubmitAnswer::Accepted);
        self.end(run, RunStatus::Succeeded).await;
        self.end(forked, RunStatus::Succeeded).await;
        self.gc(run).await;
        self.gc(forked).await;
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Kept);
        assert_eq!(self.prune(&child, None).await, PruneAnswer::Kept);
        let shared = self.subject.checkpoint(&grandchild, Seq(2)).await.expect("a read");
        assert!(shared.is_some(), "it outlives the run that made it");
        self.end(last, RunStatus::Succeeded).await;
        self.gc(last).await;
        for of in [&child, &key] {
            assert_eq!(self.looked_at(of).await, Some(self.now), "nobody shares it any more");
            assert_eq!(self.prune(of, None).await, PruneAnswer::Gone);
        }
        for name in ["retention-origin", "retention-fork"] {
            assert_eq!(self.left_of(name).await, [""; 0]);
        }
    }

    async fn what_was_removed_is_no_place_to_go_on_from(&mut self) {
        let (first, key) = self.lasting("retention-gone", true).await;
        self.steps(first, &key, 150).await;
        self.end(first, RunStatus::Succeeded).await;
        let (second, _) = self.lasting("retention-gone", true).await;
        self.steps(second, &key, 1).await;
        self.end(second, RunStatus::Failed).await;
        self.gc(first).await;
        assert_eq!(self.prune(&key, Some(101)).await, PruneAnswer::Pruned { more: false });
        let back = |seq| SetBack { seq: Seq(seq), channels: Default::default() };
        let fork = |seq| Fork { origin: Origin { thread: key.clone(), seq: Seq(seq) }, head: back(seq), edit: None };
        let (_, answer) = self.submit(&thread("retention-late"), |it| it.fork = Some(Box::new(fork(100)))).await;
        assert_eq!(answer, SubmitAnswer::Gone);
        let (_, answer) = self.submit(&thread("retention-in-time"), |it| it.fork = Some(Box::new(fork(101)))).await;
        assert_eq!(answer, SubmitAnswer::Accepted);
        let retry = |seq| Retry {
            run: second,
            seen: Gen(0),
            from: Some(back(seq)),
            deadline: None,
            actor: Actor::local(),
            operation: String::new(),
        };
        assert_eq!(self.apply(Op::Retry(Box::new(retry(100)))).await, Reply::Retry(RetryAnswer::Gone));
        let reply = self.apply(Op::Retry(Box::new(retry(120)))).await;
        assert!(matches!(reply, Reply::Retry(RetryAnswer::Retried(_))), "{reply:?}");
        assert_eq!(self.prune(&key, None).await, PruneAnswer::Kept, "the fork holds the first that is there");
        assert_eq!(self.due(second).await, [DueKind::Ready]);
    }
}
