//! Jobs that ask or wait, and go on in another phase.

use baton_common::ids::InterruptId;
use baton_common::tool::Effect;
use baton_common::transition::{
    AnswerVerdict, Claim, ClaimVerdict, FireAnswer, Op, Record, RecordVerdict, Recorded, Reply,
};
use baton_common::{Digest, JobId};
use serde_json::json;

use super::super::world::GroupPlan;
use super::{Story, digest, failed, job, ok};

impl Story<'_> {
    pub(super) async fn pauses(&mut self) {
        self.a_job_that_waits_goes_on_with_what_it_wanted_back().await;
        self.a_job_that_asks_goes_on_with_the_answer().await;
        self.a_question_of_a_job_expires().await;
        self.only_who_holds_a_job_may_pause_it().await;
        self.a_run_that_is_cancelled_takes_no_pause().await;
        self.what_a_worker_gives_back_is_handed_out_again_at_once().await;
        self.what_is_not_begun_is_handed_out_later().await;
        self.what_may_run_once_is_asked_about_when_it_is_given_back().await;
    }

    async fn record_phase(&mut self, job: &JobId, digest: Digest, fence: u64, outcome: Recorded) -> RecordVerdict {
        let fence = baton_common::Fence(fence);
        let op = Record { job: job.clone(), digest, fence, outcome };
        match self.apply(Op::Record(Box::new(op))).await {
            Reply::Record(verdict) => verdict,
            other => panic!("RECORD answered {other:?}"),
        }
    }

    async fn claim_phase(&mut self, job: &JobId, digest: Digest, request: u64) -> ClaimVerdict {
        let request = baton_common::ids::ClaimRequest(request);
        let worker = baton_common::ids::WorkerId(1);
        match self.apply(Op::Claim(Claim { job: job.clone(), digest, worker, request, lease_ms: 1_000 })).await {
            Reply::Claim(verdict) => verdict,
            other => panic!("CLAIM answered {other:?}"),
        }
    }

    async fn a_job_that_waits_goes_on_with_what_it_wanted_back(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 1).await.fence;
        let parked = self.record(&job, fence, pausing()).await;
        assert_eq!(parked, RecordVerdict::Parked { interrupt: None });
        assert_eq!(self.record(&job, fence, pausing()).await, RecordVerdict::Stale);
        assert_eq!(self.record(&job, fence, ok()).await, RecordVerdict::Stale);
        let next = digest(&job).next_phase();
        assert_eq!(self.claim_phase(&job, next, 2).await, ClaimVerdict::Busy);
        assert_eq!(self.fire(&job).await, FireAnswer::Kept);
        self.now = self.now.plus_ms(600);
        let FireAnswer::Fired(tail) = self.fire(&job).await else { panic!("it should go on") };
        assert!(tail.released.iter().map(|it| &it.job).eq([&job]));
        let ClaimVerdict::Granted(granted) = self.claim_phase(&job, next, 3).await else { panic!("no grant") };
        assert!(granted.fence > fence && granted.attempt == 1);
        assert_eq!(granted.continued, Some(json!({"continuation": {"page": 2}, "answer": null}).to_string()));
        assert!(matches!(self.record_phase(&job, next, granted.fence.0, ok()).await, RecordVerdict::Ok(_)));
    }

    async fn what_a_worker_gives_back_is_handed_out_again_at_once(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        // Oftener than workers may be lost, and than attempts may fail.
        for request in 1..8 {
            let granted = self.grant(&job, 1, request).await;
            assert_eq!(granted.attempt, 1, "no attempt is counted");
            let returned = self.record(&job, granted.fence, Recorded::Returned).await;
            assert_eq!(returned, RecordVerdict::Retry { at: self.now });
            let again = self.record(&job, granted.fence, Recorded::Returned).await;
            assert_eq!(again, RecordVerdict::StaleFence, "who gave it back holds it no longer");
        }
        let fence = self.grant(&job, 1, 9).await.fence;
        assert!(matches!(self.record(&job, fence, ok()).await, RecordVerdict::Ok(_)));
    }

    async fn what_is_not_begun_is_handed_out_later(&mut self) {
        for effect in [Effect::Pure, Effect::Once] {
            let run = self.running(&[GroupPlan { effect, ..GroupPlan::job("a") }]).await;
            let job = job(run, "a", 0);
            let fence = self.grant(&job, 1, 1).await.fence;
            let at = self.now.plus_ms(5_000);
            let later = Recorded::Later { at, why: "quota q".to_owned() };
            assert_eq!(self.record(&job, fence, later.clone()).await, RecordVerdict::Retry { at });
            assert_eq!(self.record(&job, fence, later).await, RecordVerdict::StaleFence);
            assert_eq!(self.claim(&job, 1, 2).await, ClaimVerdict::Busy, "it is not time yet");
            self.now = self.now.plus_ms(5_000);
            let granted = self.grant(&job, 1, 3).await;
            assert_eq!(granted.attempt, 1, "no attempt is counted");
            assert!(matches!(self.record(&job, granted.fence, ok()).await, RecordVerdict::Ok(_)));
        }
    }

    async fn what_may_run_once_is_asked_about_when_it_is_given_back(&mut self) {
        let run = self.running(&[GroupPlan { effect: Effect::Once, ..GroupPlan::job("a") }]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 1).await.fence;
        let returned = self.record(&job, fence, Recorded::Returned).await;
        assert_eq!(returned, RecordVerdict::Parked { interrupt: Some(InterruptId::of(&job, 0)) });
        assert_eq!(self.claim(&job, 1, 2).await, ClaimVerdict::OutcomeUnknown);
        assert!(matches!(self.record(&job, fence, ok()).await, RecordVerdict::Ok(_)), "its result still counts");
    }

    async fn a_job_that_asks_goes_on_with_the_answer(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 1).await.fence;
        let id = InterruptId::of(&job, 0);
        let parked = self.record(&job, fence, asking(None)).await;
        assert_eq!(parked, RecordVerdict::Parked { interrupt: Some(id) });
        let AnswerVerdict::Ok(tail) = self.answer(&job, id, "yes").await else { panic!("not answered") };
        assert_eq!(tail.released.len(), 1);
        assert_eq!(self.answer(&job, id, "yes").await, AnswerVerdict::Already);
        let second = digest(&job).next_phase();
        let ClaimVerdict::Granted(granted) = self.claim_phase(&job, second, 2).await else { panic!("no grant") };
        assert!(granted.continued.is_some_and(|body| body.contains("yes")));
        // A second question has an id of its own, and the first is no longer known.
        let fence = granted.fence.0;
        let parked = self.record_phase(&job, second, fence, asking(None)).await;
        let next = InterruptId::of(&job, 1);
        assert_eq!(parked, RecordVerdict::Parked { interrupt: Some(next) });
        assert_eq!(self.answer(&job, id, "no").await, AnswerVerdict::Unknown);
        assert!(matches!(self.answer(&job, next, "no").await, AnswerVerdict::Ok(_)));
    }

    async fn a_question_of_a_job_expires(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 1).await.fence;
        self.record(&job, fence, asking(Some(500))).await;
        self.now = self.now.plus_ms(600);
        let FireAnswer::Fired(tail) = self.fire(&job).await else { panic!("it should expire") };
        assert!(tail.closed.is_some());
        assert_eq!(self.states(run, "a").await, ["failed"]);
    }

    async fn only_who_holds_a_job_may_pause_it(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let lost = self.grant(&job, 1, 1).await.fence;
        self.now = self.now.plus_ms(2_000);
        let held = self.grant(&job, 2, 2).await.fence;
        assert_eq!(self.record(&job, lost, pausing()).await, RecordVerdict::StaleFence);
        assert!(matches!(self.record(&job, held, pausing()).await, RecordVerdict::Parked { .. }));
        assert_eq!(self.record(&job, held, failed()).await, RecordVerdict::Stale);
    }

    async fn a_run_that_is_cancelled_takes_no_pause(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 1).await.fence;
        self.cancel(run).await;
        assert!(matches!(self.record(&job, fence, asking(None)).await, RecordVerdict::Ok(_)));
        assert_eq!(self.states(run, "a").await, ["cancelled"]);
    }
}

fn pausing() -> Recorded {
    let continuation = Some(json!({"continuation": {"page": 2}, "answer": null}).to_string());
    Recorded::Wait { after_ms: 500, continuation }
}

fn asking(expires_ms: Option<u64>) -> Recorded {
    let question = json!({"title": "Go on?", "form": {"schema": {}}}).to_string();
    Recorded::Ask { question, continuation: Some(json!({"page": 3}).to_string()), expires_ms }
}
