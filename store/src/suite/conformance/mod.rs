//! The promises of a store as short stories, each on an empty subject or a thread of its own.

mod children;
mod held;
mod history;
mod keys;
mod pauses;
mod retention;
mod retries;
mod scan;
mod schedules;
mod stopping;
mod waits;

use baton_common::commit::{Commit, RunEnd};
use baton_common::ids::{Actor, ClaimRequest, DispatchSeq, GroupId, InterruptId, JobId, RunId, Seq, Version, WorkerId};
use baton_common::job::{Outcome, RenewAnswer};
use baton_common::records::{DueKind, Run, RunStatus, TaskState};
use baton_common::tool::Effect;
use baton_common::transition::{
    AdvanceAnswer, Answer, AnswerVerdict, Cancel, CancelAnswer, Claim, ClaimVerdict, Expire, ExpireAnswer, Fire,
    FireAnswer, Granted, Mark, OnBusy, Op, PopDue, Record, RecordVerdict, Recorded, Renew, Reply, Submit, SubmitAnswer,
    Tail,
};
use baton_common::{Digest, ErrorClass, Failure, Fence, Gen, Timestamp};
use serde_json::json;

use super::Subject;
use super::differential::PARTITION;
use super::world::{GroupPlan, checkpoint, commit, run_info, thread};

/// All stories, one after another. The subject is empty and built with
/// [`super::differential::timings`].
pub async fn all(subject: &dyn Subject) {
    let mut story = Story { subject, now: Timestamp(1_760_000_000_000), next: 100 };
    story.a_repeated_submit_finds_its_run().await;
    story.a_busy_thread_refuses_or_queues().await;
    story.one_advance_per_version().await;
    story.a_repeated_claim_gets_the_same_grant().await;
    story.the_first_success_wins().await;
    story.a_stale_failure_changes_nothing().await;
    story.a_closed_group_leaves_its_run_ready().await;
    story.a_window_releases_the_next_held_task().await;
    story.a_lost_worker_frees_the_job_and_three_make_it_poison().await;
    story.a_once_job_is_never_run_again().await;
    story.one_decision_per_question().await;
    story.a_cancel_ends_what_has_not_started().await;
    story.events_have_no_gaps().await;
    story.a_detached_call_goes_with_its_deadline().await;
    story.held_tasks().await;
    story.waits().await;
    story.pauses().await;
    story.children().await;
    story.stopping().await;
    story.turns().await;
    story.edits().await;
    story.versions().await;
    story.retries().await;
    story.retention().await;
    story.keys().await;
    story.schedules().await;
    story.a_scan_shows_every_body().await;
}

struct Story<'a> {
    subject: &'a dyn Subject,
    now: Timestamp,
    next: u64,
}

impl Story<'_> {
    async fn apply(&mut self, op: Op) -> Reply {
        self.now = self.now.plus_ms(1);
        self.subject.apply_when(&op, self.now).await.unwrap_or_else(|error| panic!("{op:?}: {error}"))
    }

    /// A run on a thread of its own, with these groups open.
    async fn running(&mut self, plans: &[GroupPlan]) -> RunId {
        self.next += 1;
        let info = run_info(&thread(&format!("story{}", self.next)), self.next, None);
        let run = info.id;
        let reply = self.apply(Op::Submit(Box::new(Submit::new(info, OnBusy::Reject)))).await;
        assert_eq!(reply, Reply::Submit(SubmitAnswer::Accepted));
        let mut advance = commit(run, Version(1), Vec::new(), "start");
        let (checkpoint, segment) = checkpoint(run, Seq(0), 0, self.now);
        advance.checkpoints.push(checkpoint.into());
        advance.segments.push(segment);
        advance.open = plans.iter().map(|plan| plan.new_group(run, Seq(1), false)).collect();
        let reply = self.apply(Op::Advance(advance.into())).await;
        assert_eq!(
            reply,
            Reply::Advance(AdvanceAnswer::Advanced {
                ver: Version(2),
                again: false,
                next: None,
                children: Vec::new(),
                parent: None
            })
        );
        run
    }

    /// One advance from the run's version, with these groups opened.
    async fn advance(&mut self, run: RunId, change: impl FnOnce(&mut Commit)) -> AdvanceAnswer {
        let ver = self.run(run).await.state.ver;
        let mut advance = commit(run, ver, Vec::new(), "story");
        change(&mut advance);
        match self.apply(Op::Advance(advance.into())).await {
            Reply::Advance(answer) => answer,
            other => panic!("ADVANCE answered {other:?}"),
        }
    }

    /// A terminal advance with that status.
    async fn end(&mut self, run: RunId, status: RunStatus) -> AdvanceAnswer {
        let end = RunEnd { status, output: Some(json!({"done": true})), failure: None, owed: None };
        self.advance(run, |commit| commit.end = Some(end)).await
    }

    async fn cancel(&mut self, run: RunId) -> CancelAnswer {
        match self.apply(Op::Cancel(Cancel { run, actor: Actor::local(), operation: String::new() })).await {
            Reply::Cancel(answer) => answer,
            other => panic!("CANCEL answered {other:?}"),
        }
    }

    async fn fire(&mut self, job: &JobId) -> FireAnswer {
        let fire = Fire { run: job.run, group: Some(job.group.clone()), index: Some(job.index) };
        match self.apply(Op::Fire(fire)).await {
            Reply::Fire(answer) => answer,
            other => panic!("FIRE answered {other:?}"),
        }
    }

    async fn run(&self, run: RunId) -> Run {
        self.subject.run(run).await.expect("a read").expect("the run")
    }

    /// Where each task of a group stands.
    async fn states(&self, run: RunId, node: &str) -> Vec<&'static str> {
        let (_, tasks) = self.subject.group(run, &job(run, node, 0).group).await.expect("a read").expect("the group");
        tasks.iter().map(|task| name(task.state)).collect()
    }

    /// The kinds of a run's due entries.
    async fn due(&self, run: RunId) -> Vec<DueKind> {
        let due = self.subject.due(PARTITION).await.expect("a read").into_iter();
        let mut kinds: Vec<DueKind> = due.filter(|(_, due)| due.key.run == run).map(|(_, due)| due.key.kind).collect();
        kinds.sort();
        kinds
    }

    async fn claim(&mut self, job: &JobId, worker: u64, request: u64) -> ClaimVerdict {
        let op = Claim {
            job: job.clone(),
            digest: digest(job),
            worker: WorkerId(worker),
            request: ClaimRequest(request),
            lease_ms: 1_000,
        };
        match self.apply(Op::Claim(op)).await {
            Reply::Claim(verdict) => verdict,
            other => panic!("CLAIM answered {other:?}"),
        }
    }

    async fn grant(&mut self, job: &JobId, worker: u64, request: u64) -> Granted {
        match self.claim(job, worker, request).await {
            ClaimVerdict::Granted(granted) => *granted,
            other => panic!("no grant: {other:?}"),
        }
    }

    async fn record(&mut self, job: &JobId, fence: Fence, outcome: Recorded) -> RecordVerdict {
        let op = Record { job: job.clone(), digest: digest(job), fence, outcome };
        match self.apply(Op::Record(Box::new(op))).await {
            Reply::Record(verdict) => verdict,
            other => panic!("RECORD answered {other:?}"),
        }
    }

    async fn a_repeated_submit_finds_its_run(&mut self) {
        let info = run_info(&thread("submit"), 1, None);
        let op = Op::Submit(Box::new(Submit::new(info.clone(), OnBusy::Reject)));
        assert_eq!(self.apply(op.clone()).await, Reply::Submit(SubmitAnswer::Accepted));
        assert_eq!(self.apply(op).await, Reply::Submit(SubmitAnswer::Exists));
        let mut other = info;
        other.body_digest = Digest::of("other");
        let op = Op::Submit(Box::new(Submit::new(other, OnBusy::Reject)));
        assert_eq!(self.apply(op).await, Reply::Submit(SubmitAnswer::Conflict));
    }

    async fn a_busy_thread_refuses_or_queues(&mut self) {
        for (number, on_busy, expected) in [
            (2, OnBusy::Reject, SubmitAnswer::Accepted),
            (3, OnBusy::Reject, SubmitAnswer::Busy),
            (4, OnBusy::Enqueue, SubmitAnswer::Queued),
        ] {
            let info = run_info(&thread("busy"), number, None);
            let reply = self.apply(Op::Submit(Box::new(Submit::new(info, on_busy)))).await;
            assert_eq!(reply, Reply::Submit(expected));
        }
    }

    async fn one_advance_per_version(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let other = commit(run, Version(1), Vec::new(), "another replica");
        assert_eq!(self.apply(Op::Advance(other.into())).await, Reply::Advance(AdvanceAnswer::Conflict));
        let same = commit(run, Version(1), Vec::new(), "start");
        let already = AdvanceAnswer::Already { ver: Version(2) };
        assert_eq!(self.apply(Op::Advance(same.into())).await, Reply::Advance(already));
    }

    async fn a_repeated_claim_gets_the_same_grant(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let first = self.grant(&job, 1, 11).await;
        assert_eq!(self.grant(&job, 1, 11).await.fence, first.fence);
        assert_eq!(self.claim(&job, 2, 22).await, ClaimVerdict::Busy);
    }

    async fn the_first_success_wins(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let zombie = self.grant(&job, 1, 11).await;
        self.now = self.now.plus_ms(2_000);
        let second = self.grant(&job, 2, 22).await;
        assert!(second.fence > zombie.fence);
        assert!(matches!(self.record(&job, zombie.fence, ok()).await, RecordVerdict::Ok(_)));
        assert_eq!(self.record(&job, second.fence, ok()).await, RecordVerdict::Duplicate);
    }

    async fn a_stale_failure_changes_nothing(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let zombie = self.grant(&job, 1, 11).await;
        self.now = self.now.plus_ms(2_000);
        let second = self.grant(&job, 2, 22).await;
        assert_eq!(self.record(&job, zombie.fence, failed()).await, RecordVerdict::StaleFence);
        assert!(matches!(self.record(&job, second.fence, ok()).await, RecordVerdict::Ok(_)));
    }

    async fn a_closed_group_leaves_its_run_ready(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let fence = self.grant(&job, 1, 11).await.fence;
        let RecordVerdict::Ok(Tail { closed: Some(closed), .. }) = self.record(&job, fence, ok()).await else {
            panic!("the group did not close")
        };
        assert_eq!(closed.groups.len(), 1);
        self.now = self.now.plus_ms(60_000);
        let page = match self.apply(Op::PopDue(PopDue { partition: PARTITION, limit: 100, hide_ms: 1_000 })).await {
            Reply::PopDue(page) => page,
            other => panic!("POP_DUE answered {other:?}"),
        };
        assert!(page.due.iter().any(|due| due.key.kind == DueKind::Ready && due.key.run == run));
    }

    async fn a_window_releases_the_next_held_task(&mut self) {
        let plan = GroupPlan { count: 3, window: 1, need_ok: 3, ..GroupPlan::job("a") };
        let run = self.running(&[plan]).await;
        assert_eq!(self.claim(&job(run, "a", 1), 1, 1).await, ClaimVerdict::Busy);
        let fence = self.grant(&job(run, "a", 0), 1, 2).await.fence;
        let RecordVerdict::Ok(tail) = self.record(&job(run, "a", 0), fence, ok()).await else { panic!("not recorded") };
        assert_eq!(tail.released.iter().map(|it| it.job.index).collect::<Vec<_>>(), [1]);
        assert_eq!(tail.closed, None);
    }

    async fn a_lost_worker_frees_the_job_and_three_make_it_poison(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        for attempt in 1..=3 {
            self.grant(&job, 1, attempt).await;
            let early = self.apply(Op::Expire(Expire { job: job.clone() })).await;
            assert_eq!(early, Reply::Expire(ExpireAnswer::Kept));
            self.now = self.now.plus_ms(2_000);
            let Reply::Expire(answer) = self.apply(Op::Expire(Expire { job: job.clone() })).await else { panic!() };
            match answer {
                ExpireAnswer::Again { at } if attempt < 3 => self.now = at,
                ExpireAnswer::Ended(tail) if attempt == 3 => assert!(tail.closed.is_some()),
                other => panic!("attempt {attempt}: {other:?}"),
            }
        }
    }

    async fn a_once_job_is_never_run_again(&mut self) {
        let run = self.running(&[GroupPlan { effect: Effect::Once, ..GroupPlan::job("a") }]).await;
        let job = job(run, "a", 0);
        self.grant(&job, 1, 11).await;
        self.now = self.now.plus_ms(2_000);
        let Reply::Expire(ExpireAnswer::OutcomeUnknown(id)) = self.apply(Op::Expire(Expire { job: job.clone() })).await
        else {
            panic!("the outcome should be unknown")
        };
        assert_eq!(self.claim(&job, 2, 22).await, ClaimVerdict::OutcomeUnknown);
        assert!(matches!(self.answer(&job, id, "yes").await, AnswerVerdict::Ok(_)));
    }

    async fn answer(&mut self, job: &JobId, interrupt: InterruptId, decision: &str) -> AnswerVerdict {
        let op = Answer {
            job: job.clone(),
            interrupt,
            decision: json!(decision).to_string(),
            outcome: outcome(&Outcome::value(decision)),
            ok: true,
            actor: Actor::local(),
        };
        match self.apply(Op::Answer(Box::new(op))).await {
            Reply::Answer(verdict) => verdict,
            other => panic!("ANSWER answered {other:?}"),
        }
    }

    async fn one_decision_per_question(&mut self) {
        let run = self.running(&[GroupPlan::ask("a")]).await;
        let job = job(run, "a", 0);
        let id = InterruptId::of(&job, 0);
        assert!(matches!(self.answer(&job, id, "yes").await, AnswerVerdict::Ok(_)));
        assert_eq!(self.answer(&job, id, "yes").await, AnswerVerdict::Already);
        let recorded = json!("yes").to_string();
        assert_eq!(self.answer(&job, id, "no").await, AnswerVerdict::Conflict { recorded });
    }

    async fn a_cancel_ends_what_has_not_started(&mut self) {
        let run = self.running(&[GroupPlan { count: 2, window: 2, need_ok: 2, ..GroupPlan::job("a") }]).await;
        let (held, waiting) = (job(run, "a", 0), job(run, "a", 1));
        let fence = self.grant(&held, 1, 11).await.fence;
        let cancel = Op::Cancel(Cancel { run, actor: Actor::local(), operation: String::new() });
        assert_eq!(self.apply(cancel.clone()).await, Reply::Cancel(CancelAnswer::Cancelling));
        assert_eq!(self.apply(cancel).await, Reply::Cancel(CancelAnswer::Already));
        assert_eq!(self.claim(&waiting, 1, 12).await, ClaimVerdict::RunTerminal);
        let renew = Renew { partition: PARTITION, worker: WorkerId(1), leases: vec![(held, fence)], lease_ms: 1_000 };
        assert_eq!(self.apply(Op::Renew(renew)).await, Reply::Renew(vec![RenewAnswer::Cancel]));
        let run = self.subject.run(run).await.expect("a read").expect("the run");
        assert_eq!(run.state.status, RunStatus::Cancelling);
    }

    async fn a_detached_call_goes_with_its_deadline(&mut self) {
        let deadline = Some(self.now.plus_ms(500));
        let run = self.running(&[GroupPlan { detached: true, deadline, ..GroupPlan::job("a") }]).await;
        self.now = self.now.plus_ms(1_000);
        let fire = Fire { run, group: Some(job(run, "a", 0).group), index: None };
        assert_eq!(self.apply(Op::Fire(fire)).await, Reply::Fire(FireAnswer::Fired(Tail::default())));
        let detail = self.subject.detail(run).await.expect("a read").expect("the run");
        assert_eq!((detail.run.state.closed, detail.run.state.detached_open), (0, 0));
        assert_eq!(detail.groups, Vec::new());
    }

    async fn events_have_no_gaps(&mut self) {
        let run = self.running(&[GroupPlan::job("a")]).await;
        let job = job(run, "a", 0);
        let marked = Mark { run, tasks: vec![(job.group.clone(), 0, DispatchSeq(1))] };
        assert_eq!(self.apply(Op::Mark(marked)).await, Reply::Changed(true));
        let (_, tasks) = self.subject.group(run, &job.group).await.expect("a read").expect("the group");
        assert!(matches!(tasks[0].state, TaskState::Dispatched { .. }));
        let fence = self.grant(&job, 1, 11).await.fence;
        self.record(&job, fence, ok()).await;
        let events = self.subject.events(run, 0, 100).await.expect("a read");
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=u64::try_from(seqs.len()).expect("a count")).collect::<Vec<_>>());
        assert!(seqs.len() >= 6, "{events:?}");
    }
}

fn job(run: RunId, node: &str, index: u32) -> JobId {
    let group = GroupId { node: node.parse().expect("a node path"), activation: 1 };
    JobId { run, r#gen: Gen(0), group, index }
}

fn name(state: TaskState) -> &'static str {
    match state {
        TaskState::Held => "held",
        TaskState::Publishable { .. } => "publishable",
        TaskState::Dispatched { .. } => "dispatched",
        TaskState::Claimed { .. } => "claimed",
        TaskState::Parked => "parked",
        TaskState::OutcomeUnknown => "outcome unknown",
        TaskState::Done => "done",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}

fn digest(job: &JobId) -> Digest {
    Digest::of(format!("{}/{}/{}", job.run, job.group, job.index))
}

fn ok() -> Recorded {
    Recorded::Ok(outcome(&Outcome::value("result")))
}

fn failed() -> Recorded {
    Recorded::Error {
        class: ErrorClass::Permanent,
        code: "broken".to_owned(),
        retry_after_ms: None,
        body: outcome(&Outcome::Error(Failure::permanent("broken", "as told"))),
    }
}

fn outcome(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("an outcome is JSON")
}
