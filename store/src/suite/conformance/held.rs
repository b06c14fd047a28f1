//! Windows of every kind of task, and indexes that need one another.

use baton_common::ids::InterruptId;
use baton_common::transition::{AnswerVerdict, FireAnswer, RecordVerdict};

use super::super::world::GroupPlan;
use super::{Story, failed, job, ok};

impl Story<'_> {
    pub(super) async fn held_tasks(&mut self) {
        self.a_held_question_is_asked_when_its_turn_comes().await;
        self.a_question_expires_at_the_earlier_of_its_times().await;
        self.an_index_goes_once_what_it_needs_is_done().await;
        self.what_needs_a_failed_index_fails_too().await;
    }

    async fn a_held_question_is_asked_when_its_turn_comes(&mut self) {
        let run = self.running(&[GroupPlan { count: 2, need_ok: 2, ..GroupPlan::ask("a") }]).await;
        assert_eq!(self.states(run, "a").await, ["parked", "held"]);
        let (first, second) = (job(run, "a", 0), job(run, "a", 1));
        let early = self.answer(&second, InterruptId::of(&second, 0), "yes").await;
        assert_eq!(early, AnswerVerdict::Unknown);
        assert!(matches!(self.answer(&first, InterruptId::of(&first, 0), "yes").await, AnswerVerdict::Ok(_)));
        assert_eq!(self.states(run, "a").await, ["done", "parked"]);
        let AnswerVerdict::Ok(tail) = self.answer(&second, InterruptId::of(&second, 0), "yes").await else { panic!() };
        assert!(tail.closed.is_some());
    }

    async fn a_question_expires_at_the_earlier_of_its_times(&mut self) {
        let at = Some(self.now.plus_ms(500));
        let plan = GroupPlan { expires_ms: Some(60_000), expires_at: at, ..GroupPlan::ask("a") };
        let run = self.running(&[plan]).await;
        assert_eq!(self.fire(&job(run, "a", 0)).await, FireAnswer::Kept);
        self.now = self.now.plus_ms(600);
        assert!(matches!(self.fire(&job(run, "a", 0)).await, FireAnswer::Fired(_)));
        assert_eq!(self.states(run, "a").await, ["failed"]);
    }

    async fn an_index_goes_once_what_it_needs_is_done(&mut self) {
        let needs = vec![vec![], vec![0], vec![0], vec![1, 2]];
        let run = self.running(&[GroupPlan { count: 4, window: 4, need_ok: 4, needs, ..GroupPlan::job("a") }]).await;
        assert_eq!(self.states(run, "a").await, ["publishable", "held", "held", "held"]);
        for (index, released) in [(0, vec![1, 2]), (1, vec![]), (2, vec![3]), (3, vec![])] {
            let job = job(run, "a", index);
            let fence = self.grant(&job, 1, u64::from(index)).await.fence;
            let RecordVerdict::Ok(tail) = self.record(&job, fence, ok()).await else { panic!("not recorded") };
            assert_eq!(tail.released.iter().map(|it| it.job.index).collect::<Vec<_>>(), released);
            assert_eq!(tail.closed.is_some(), index == 3);
        }
    }

    async fn what_needs_a_failed_index_fails_too(&mut self) {
        let needs = vec![vec![], vec![0], vec![1], vec![]];
        let plan = GroupPlan { count: 4, need_ok: 4, max_failed: 4, needs, ..GroupPlan::job("a") };
        let run = self.running(&[plan]).await;
        let first = job(run, "a", 0);
        let fence = self.grant(&first, 1, 1).await.fence;
        let RecordVerdict::Ok(tail) = self.record(&first, fence, failed()).await else { panic!("not recorded") };
        assert_eq!(tail.released.iter().map(|it| it.job.index).collect::<Vec<_>>(), [3]);
        assert_eq!(self.states(run, "a").await, ["failed", "failed", "failed", "publishable"]);
        let bodies = self.subject.bodies(&job(run, "a", 2)).await.expect("a read");
        assert!(bodies.result.is_some_and(|body| body.contains("dependency_failed")));
    }
}
