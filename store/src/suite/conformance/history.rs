//! Turns on a thread, forks, edits and changes of version.

use baton_common::ids::{Actor, GraphHash, RunId, ThreadKey};
use baton_common::records::{Origin, Pin, RunInfo, RunStatus, SetBack, Span};
use baton_common::transition::{
    AdvanceAnswer, Edit, EditAnswer, Fork, OnBusy, Op, Repin, RepinAnswer, Reply, Submit, SubmitAnswer,
};
use baton_common::{Digest, Seq, Version};

use super::super::world::{GroupPlan, checkpoint, commit, run_info, thread};
use super::Story;

impl Story<'_> {
    pub(super) async fn turns(&mut self) {
        self.an_interrupting_run_is_the_next().await;
        self.a_roll_back_takes_back_what_the_active_run_wrote().await;
        self.a_fork_sees_what_it_shares().await;
        self.each_checkpoint_of_a_commit_is_read_by_itself().await;
    }

    pub(super) async fn edits(&mut self) {
        self.an_edit_is_the_head_and_moves_the_version_on().await;
    }

    pub(super) async fn versions(&mut self) {
        self.a_run_that_is_not_over_goes_on_with_another_version().await;
    }

    async fn repin(&mut self, run: RunId, seen: Version, graph: GraphHash) -> RepinAnswer {
        match self.apply(Op::Repin(Repin { run, seen, graph, actor: Actor::local() })).await {
            Reply::Repin(answer) => answer,
            other => panic!("REPIN answered {other:?}"),
        }
    }

    async fn a_run_that_is_not_over_goes_on_with_another_version(&mut self) {
        let run = self.running(&[GroupPlan::ask("question")]).await;
        let before = self.run(run).await;
        let [second, third] = ["second", "third"].map(|name| GraphHash(Digest::of(name)));
        let seen = before.state.ver;
        assert_eq!(self.repin(run, Version(seen.0 - 1), second).await, RepinAnswer::Conflict { ver: seen });
        assert_eq!(self.repin(run, seen, second).await, RepinAnswer::Repinned { ver: seen.next() });
        assert_eq!(self.repin(run, seen, second).await, RepinAnswer::Already);
        let after = self.run(run).await;
        let pin = Pin { graph: before.info.graph, until: Seq(1), advances: 1 };
        assert_eq!((after.info.graph, after.info.before.as_slice()), (second, [pin.clone()].as_slice()));
        assert_eq!(after.info.first_graph(), before.info.graph);
        assert_eq!((after.state.head, after.state.superstep), (before.state.head, before.state.superstep));
        assert_ne!(after.state.last_op, before.state.last_op, "nobody goes on from a state it remembers");
        // What else is fixed about it is as it was.
        let restored = RunInfo { graph: before.info.graph, before: Vec::new(), ..after.info.clone() };
        assert_eq!(restored, before.info);
        let mut stale = commit(run, seen, Vec::new(), "of the first version");
        stale.checkpoints.clear();
        let answer = self.apply(Op::Advance(stale.into())).await;
        assert_eq!(answer, Reply::Advance(AdvanceAnswer::Conflict));

        self.step(run, 1).await;
        let seen = self.run(run).await.state.ver;
        assert_eq!(self.repin(run, seen, third).await, RepinAnswer::Repinned { ver: seen.next() });
        let info = self.run(run).await.info;
        let newer = Pin { graph: second, until: Seq(2), advances: 2 };
        assert_eq!((info.graph, info.before.clone()), (third, vec![newer, pin.clone()]));
        let at = |seq| info.as_of(Seq(seq)).graph;
        assert_eq!([at(1), at(2), at(3)], [before.info.graph, second, third]);
        let by = |number| info.as_of_advance(number).graph;
        assert_eq!([by(0), by(1), by(2)], [before.info.graph, second, third]);
        assert_eq!(info.as_of(Seq(2)).before, [pin]);
        self.end(run, RunStatus::Succeeded).await;
        let seen = self.run(run).await.state.ver;
        assert_eq!(self.repin(run, seen, second).await, RepinAnswer::Terminal);
        let nobody = RunId { uuid: uuid::Uuid::nil(), ..run };
        assert_eq!(self.repin(nobody, seen, second).await, RepinAnswer::Unknown);
    }

    pub(super) async fn submit(&mut self, key: &ThreadKey, change: impl FnOnce(&mut Submit)) -> (RunId, SubmitAnswer) {
        self.next += 1;
        let mut submit = Submit::new(run_info(key, self.next, None), OnBusy::Enqueue);
        change(&mut submit);
        let run = submit.info.id;
        match self.apply(Op::Submit(Box::new(submit))).await {
            Reply::Submit(answer) => (run, answer),
            other => panic!("SUBMIT answered {other:?}"),
        }
    }

    /// One more checkpoint of a run.
    async fn step(&mut self, run: RunId, superstep: u64) {
        let key = self.run(run).await.info.thread;
        let known = self.subject.thread(&key).await.expect("a read").expect("the thread");
        let (mut checkpoint, segment) = checkpoint(run, known.head, superstep, self.now);
        checkpoint.seq = known.next_seq();
        let answer = self
            .advance(run, |commit| {
                commit.checkpoints.push(checkpoint.into());
                commit.segments.push(segment);
            })
            .await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { .. }), "{answer:?}");
    }

    async fn an_interrupting_run_is_the_next(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let key = self.run(run).await.info.thread;
        let (waiting, _) = self.submit(&key, |_| {}).await;
        let (urgent, answer) = self.submit(&key, |submit| submit.on_busy = OnBusy::Interrupt).await;
        assert_eq!(answer, SubmitAnswer::Queued);
        assert_eq!(self.run(run).await.state.status, RunStatus::Cancelling);
        let known = self.subject.thread(&key).await.expect("a read").expect("the thread");
        assert_eq!(known.queue, [urgent, waiting]);
        let answer = self.end(run, RunStatus::Cancelled).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { next: Some(next), .. } if next == urgent), "{answer:?}");
        assert_eq!(self.run(urgent).await.state.base, Seq(1));
    }

    async fn a_roll_back_takes_back_what_the_active_run_wrote(&mut self) {
        let run = self.running(&[]).await;
        let key = self.run(run).await.info.thread;
        self.step(run, 1).await;
        let back = SetBack { seq: Seq(0), channels: std::collections::BTreeMap::new() };
        let roll_back = |of: RunId| {
            let back = back.clone();
            move |submit: &mut Submit| {
                submit.on_busy = OnBusy::Rollback;
                submit.set_back = Some((of, back));
            }
        };
        let nobody = RunId { uuid: uuid::Uuid::nil(), ..run };
        assert_eq!(self.submit(&key, roll_back(nobody)).await.1, SubmitAnswer::Busy);
        let (next, answer) = self.submit(&key, roll_back(run)).await;
        assert_eq!(answer, SubmitAnswer::Queued);
        self.end(run, RunStatus::Cancelled).await;
        let known = self.subject.thread(&key).await.expect("a read").expect("the thread");
        assert_eq!((known.active, known.head, known.channels.len()), (Some(next), Seq(0), 0));
        // What was there is not written over.
        assert_eq!(known.next_seq(), Seq(3));
        assert_eq!(self.run(next).await.state.base, Seq(0));
    }

    async fn a_fork_sees_what_it_shares(&mut self) {
        let run = self.running(&[]).await;
        let source = self.run(run).await.info.thread;
        self.step(run, 1).await;
        self.step(run, 2).await;
        let key = thread(&format!("fork-story{}", self.next));
        let known = self.subject.thread(&source).await.expect("a read").expect("the thread");
        let head = SetBack { seq: Seq(2), channels: known.channels.clone() };
        let fork = Fork { origin: Origin { thread: source.clone(), seq: Seq(2) }, head, edit: None };
        let begin = |fork: Fork| move |submit: &mut Submit| submit.fork = Some(Box::new(fork));
        let (forked, answer) = self.submit(&key, begin(fork.clone())).await;
        assert_eq!(answer, SubmitAnswer::Accepted);
        assert_eq!(self.submit(&key, begin(fork)).await.1, SubmitAnswer::Conflict);
        let state = self.run(forked).await.state;
        assert_eq!((state.head, state.base, state.resumed), (Seq(2), Seq(2), true));
        assert_eq!(self.subject.checkpoint(&key, Seq(3)).await.expect("a read"), None, "it lies behind the fork");
        self.step(forked, 3).await;
        let shared = self.subject.checkpoint(&key, Seq(2)).await.expect("a read");
        assert_eq!(shared, self.subject.checkpoint(&source, Seq(2)).await.expect("a read"));
        let own = self.subject.checkpoint(&key, Seq(3)).await.expect("a read").expect("its own");
        assert_eq!((own.run, own.parent), (forked, Seq(2)));
        let pieces = self.subject.segments(&key, "log", Span { base: 0, end: 3 }).await.expect("a read");
        assert_eq!(pieces, ["[\"piece 1\"]", "[\"piece 2\"]", "[\"piece 3\"]"]);
        assert!(!self.run(forked).await.state.resumed);
    }

    async fn each_checkpoint_of_a_commit_is_read_by_itself(&mut self) {
        let run = self.running(&[]).await;
        let key = self.run(run).await.info.thread;
        let (mut made, mut segments) = (Vec::new(), Vec::new());
        for parent in 1..=4 {
            let (mut checkpoint, segment) = checkpoint(run, Seq(parent), parent, self.now);
            checkpoint.hash = Digest::of(parent.to_string());
            made.push(checkpoint.into());
            segments.push(segment);
        }
        let of_commit = (made.clone(), segments);
        let answer = self.advance(run, |commit| (commit.checkpoints, commit.segments) = of_commit).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { .. }), "{answer:?}");
        // What a fork shares may end in the middle of a commit.
        let forked = thread(&format!("fork-story{}", self.next));
        let known = self.subject.thread(&key).await.expect("a read").expect("the thread");
        let head = SetBack { seq: Seq(3), channels: known.channels };
        let fork = Fork { origin: Origin { thread: key.clone(), seq: Seq(3) }, head, edit: None };
        assert_eq!(self.submit(&forked, |it| it.fork = Some(Box::new(fork))).await.1, SubmitAnswer::Accepted);
        for checkpoint in made {
            let read = self.subject.checkpoint(&key, checkpoint.seq).await.expect("a read");
            assert_eq!(read.as_ref(), Some(&*checkpoint));
            let shared = self.subject.checkpoint(&forked, checkpoint.seq).await.expect("a read");
            assert_eq!(shared.as_ref(), Some(&*checkpoint).filter(|checkpoint| checkpoint.seq <= Seq(3)));
        }
    }

    async fn an_edit_is_the_head_and_moves_the_version_on(&mut self) {
        let run = self.running(&[]).await;
        let key = self.run(run).await.info.thread;
        let (state, segment) = checkpoint(run, Seq(1), 7, self.now);
        let edit = |thread: ThreadKey, state: baton_common::records::Checkpoint| {
            let segments = vec![segment.clone()];
            Op::Edit(Box::new(Edit { thread, checkpoint: state.into(), segments, actor: Actor::local() }))
        };
        let seen = self.run(run).await.state.ver;
        let first = self.apply(edit(key.clone(), state.clone())).await;
        assert_eq!(first, Reply::Edit(EditAnswer::Edited { ver: Some(Version(seen.0 + 1)) }));
        assert_eq!(self.apply(edit(key.clone(), state.clone())).await, Reply::Edit(EditAnswer::Already));
        let mut stale = state.clone();
        stale.hash = baton_common::Digest::of("another");
        assert_eq!(self.apply(edit(key, stale)).await, Reply::Edit(EditAnswer::Conflict { head: Seq(2) }));
        assert_eq!(self.apply(edit(thread("without-a-run"), state)).await, Reply::Edit(EditAnswer::Unknown));
        let state = self.run(run).await.state;
        assert_eq!((state.head, state.ver), (Seq(2), Version(seen.0 + 1)));
    }
}
