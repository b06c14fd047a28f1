//! Runs that go on after their end.

use std::collections::BTreeMap;

use baton_common::ids::{Actor, Gen, JobId, RunId, Seq};
use baton_common::records::{DueKind, RunStatus, SetBack};
use baton_common::transition::{
    AdvanceAnswer, ClaimVerdict, Op, RecordVerdict, Reply, Retry, RetryAnswer, Submit, Tail,
};

use super::super::world::{GroupPlan, run_info};
use super::{Story, failed, job, ok};

impl Story<'_> {
    pub(super) async fn retries(&mut self) {
        self.a_retry_does_again_what_failed_and_keeps_what_succeeded().await;
        self.a_retry_from_an_earlier_state_drops_what_was_open().await;
        self.a_retry_gives_a_run_whose_time_was_over_time_again().await;
        self.a_retried_child_is_another_run().await;
        self.only_what_has_ended_is_retried_and_once().await;
        self.a_busy_thread_refuses_a_retry().await;
    }

    async fn retry(&mut self, run: RunId, seen: Gen, from: Option<SetBack>) -> RetryAnswer {
        let op = Retry { run, seen, from, deadline: None, actor: Actor::local(), operation: String::new() };
        match self.apply(Op::Retry(Box::new(op))).await {
            Reply::Retry(answer) => answer,
            other => panic!("RETRY answered {other:?}"),
        }
    }

    async fn retried(&mut self, run: RunId, from: Option<SetBack>) -> Tail {
        let seen = self.run(run).await.state.r#gen;
        match self.retry(run, seen, from).await {
            RetryAnswer::Retried(tail) => tail,
            other => panic!("{other:?}"),
        }
    }

    /// A run that failed because one of its two jobs did.
    async fn broken(&mut self) -> RunId {
        let run = self.running(&[GroupPlan { count: 2, window: 2, need_ok: 2, ..GroupPlan::job("a") }]).await;
        for (index, outcome) in [(0, ok()), (1, failed())] {
            let job = job(run, "a", index);
            let fence = self.grant(&job, 1, u64::from(index)).await.fence;
            assert!(matches!(self.record(&job, fence, outcome).await, RecordVerdict::Ok(_)));
        }
        let group = job(run, "a", 0).group;
        let answer = self
            .advance(run, |commit| {
                commit.consumed.push(group);
                commit.end = Some(baton_common::commit::RunEnd {
                    status: RunStatus::Failed,
                    output: None,
                    failure: None,
                    owed: None,
                });
            })
            .await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { .. }), "{answer:?}");
        assert_eq!(self.due(run).await, [DueKind::Gc]);
        run
    }

    async fn a_retry_does_again_what_failed_and_keeps_what_succeeded(&mut self) {
        let run = self.broken().await;
        let tail = self.retried(run, None).await;
        let again = JobId { r#gen: Gen(1), ..job(run, "a", 1) };
        assert!(tail.released.iter().map(|it| &it.job).eq([&again]));
        assert_eq!(self.states(run, "a").await, ["done", "publishable"]);
        let found = self.run(run).await;
        assert_eq!((found.state.status, found.end, found.state.ended_at), (RunStatus::Running, None, None));
        assert_eq!(self.claim(&job(run, "a", 1), 1, 7).await, ClaimVerdict::Stale);
        let granted = self.grant(&again, 1, 8).await;
        assert_eq!(granted.attempt, 1);
        let RecordVerdict::Ok(tail) = self.record(&again, granted.fence, ok()).await else { panic!("not recorded") };
        let outcomes = tail.closed.expect("the group closed").groups[0].outcomes.clone().expect("few");
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_some()).count(), 2);
    }

    async fn a_retry_from_an_earlier_state_drops_what_was_open(&mut self) {
        let run = self.broken().await;
        let back = SetBack { seq: Seq(0), channels: BTreeMap::new() };
        let tail = self.retried(run, Some(back)).await;
        assert_eq!(tail.ready, [run]);
        assert!(self.due(run).await.contains(&DueKind::Ready));
        let detail = self.subject.detail(run).await.expect("a read").expect("the run");
        assert_eq!(detail.groups, Vec::new());
        assert!(detail.run.state.resumed && detail.run.state.head == Seq(0));
        let known = self.subject.thread(&detail.run.info.thread).await.expect("a read").expect("the thread");
        assert_eq!((known.head, known.next_seq(), known.active), (Seq(0), Seq(2), Some(run)));
    }

    async fn a_retry_gives_a_run_whose_time_was_over_time_again(&mut self) {
        let run = self.broken().await;
        let before = self.run(run).await.info;
        let deadline = Some(self.subject.now().await.expect("the time").plus_ms(86_400_000_000));
        let op = Retry { run, seen: Gen(0), from: None, deadline, actor: Actor::local(), operation: String::new() };
        let answer = self.apply(Op::Retry(Box::new(op))).await;
        assert!(matches!(answer, Reply::Retry(RetryAnswer::Retried(_))), "{answer:?}");
        assert!(self.due(run).await.contains(&DueKind::Timer));
        assert_eq!(self.run(run).await.info, baton_common::records::RunInfo { deadline, ..before });
    }

    async fn a_retried_child_is_another_run(&mut self) {
        let run = self.running(&[]).await;
        let info = self.run(run).await.info;
        let plan = GroupPlan::child("c", &info, Gen(0));
        let answer = self.advance(run, |commit| commit.open = vec![plan.new_group(run, Seq(1), false)]).await;
        let AdvanceAnswer::Advanced { children, .. } = answer else { panic!("{answer:?}") };
        self.end(children[0], RunStatus::Failed).await;
        self.end(run, RunStatus::Failed).await;
        let tail = self.retried(run, None).await;
        let caller = JobId { r#gen: Gen(1), ..job(run, "c", 0) };
        let other = RunId::for_child(&caller);
        assert_eq!(tail.ready, [other]);
        let found = self.run(other).await;
        assert_eq!(found.info.parent.map(|parent| parent.job), Some(caller));
        let answer = self.end(other, RunStatus::Succeeded).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { parent: Some(_), .. }), "{answer:?}");
        assert_eq!(self.states(run, "c").await, ["done"]);
    }

    async fn only_what_has_ended_is_retried_and_once(&mut self) {
        let run = self.broken().await;
        assert_eq!(self.retry(run, Gen(5), None).await, RetryAnswer::Refused);
        self.retried(run, None).await;
        assert_eq!(self.retry(run, Gen(0), None).await, RetryAnswer::Already);
        assert_eq!(self.retry(run, Gen(1), None).await, RetryAnswer::Refused);
        let nobody = RunId { uuid: uuid::Uuid::nil(), ..run };
        assert_eq!(self.retry(nobody, Gen(0), None).await, RetryAnswer::Unknown);
        self.apply(Op::Park { run, reason: "test".to_owned() }).await;
        self.retried(run, None).await;
        assert_eq!(self.run(run).await.state.status, RunStatus::Running);
    }

    async fn a_busy_thread_refuses_a_retry(&mut self) {
        let run = self.broken().await;
        let key = self.run(run).await.info.thread;
        self.next += 1;
        let submit = Submit::new(run_info(&key, self.next, None), baton_common::transition::OnBusy::Reject);
        self.apply(Op::Submit(Box::new(submit))).await;
        assert_eq!(self.retry(run, Gen(0), None).await, RetryAnswer::Busy);
    }
}
