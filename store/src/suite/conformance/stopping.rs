//! Cancels and compensations: what has not started ends, what is at work is waited for.

use baton_common::Seq;
use baton_common::ids::{Actor, RunId};
use baton_common::records::{DueKind, GroupPhase, RunStatus};
use baton_common::transition::{AdvanceAnswer, CancelAnswer, ClaimVerdict, Op, RecordVerdict, Reply};

use super::super::world::GroupPlan;
use super::{Story, failed, job, ok};

impl Story<'_> {
    pub(super) async fn stopping(&mut self) {
        self.a_cancel_waits_for_what_is_at_work().await;
        self.force_waits_no_longer().await;
        self.compensations_run_while_the_rest_stops().await;
        self.a_run_without_work_turns_at_once().await;
        self.a_parked_run_goes_back_to_its_compensations().await;
    }

    async fn two_jobs(&mut self) -> RunId {
        self.running(&[GroupPlan { count: 3, window: 2, need_ok: 3, ..GroupPlan::job("a") }]).await
    }

    async fn undo(&mut self, run: RunId) -> AdvanceAnswer {
        let undo = GroupPlan { undo: true, ..GroupPlan::job("u") };
        self.advance(run, |commit| {
            commit.undoing = true;
            commit.open = vec![undo.new_group(run, Seq(1), false)];
        })
        .await
    }

    async fn a_cancel_waits_for_what_is_at_work(&mut self) {
        let run = self.two_jobs().await;
        let first = job(run, "a", 0);
        let fence = self.grant(&first, 1, 1).await.fence;
        assert_eq!(self.cancel(run).await, CancelAnswer::Cancelling);
        assert_eq!(self.states(run, "a").await, ["claimed", "cancelled", "cancelled"]);
        assert!(!self.due(run).await.contains(&DueKind::Ready));
        assert!(matches!(self.record(&first, fence, ok()).await, RecordVerdict::Ok(_)));
        let (group, _) = self.subject.group(run, &first.group).await.expect("a read").expect("the group");
        assert_eq!((group.state.phase, group.state.ok, group.state.cancelled), (GroupPhase::Closed, 1, 2));
        assert_eq!(self.run(run).await.state.closed, 1);
        assert!(self.due(run).await.contains(&DueKind::Ready));
    }

    async fn force_waits_no_longer(&mut self) {
        let run = self.two_jobs().await;
        let first = job(run, "a", 0);
        let fence = self.grant(&first, 1, 1).await.fence;
        assert_eq!(self.apply(Op::Force { run }).await, Reply::Changed(false));
        self.cancel(run).await;
        assert_eq!(self.apply(Op::Force { run }).await, Reply::Changed(true));
        assert_eq!(self.states(run, "a").await, ["cancelled"; 3]);
        assert_eq!(self.record(&first, fence, ok()).await, RecordVerdict::Duplicate);
        assert_eq!(self.due(run).await, [DueKind::Ready]);
    }

    async fn compensations_run_while_the_rest_stops(&mut self) {
        let run = self.two_jobs().await;
        let (first, second, undo) = (job(run, "a", 0), job(run, "a", 1), job(run, "u", 0));
        let fence = self.grant(&first, 1, 1).await.fence;
        let answer = self.undo(run).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { again: false, .. }), "{answer:?}");
        assert_eq!(self.run(run).await.state.status, RunStatus::Undoing);
        assert_eq!(self.claim(&second, 1, 2).await, ClaimVerdict::RunTerminal);
        assert_eq!(self.cancel(run).await, CancelAnswer::Already);
        let granted = self.grant(&undo, 1, 3).await;
        let RecordVerdict::Ok(tail) = self.record(&first, fence, failed()).await else { panic!("not recorded") };
        assert!(tail.closed.is_some_and(|closed| closed.groups[0].state.cancelled == 3));
        assert!(matches!(self.record(&undo, granted.fence, ok()).await, RecordVerdict::Ok(_)));
        assert_eq!(self.run(run).await.state.closed, 2);
    }

    async fn a_run_without_work_turns_at_once(&mut self) {
        let run = self.two_jobs().await;
        self.cancel(run).await;
        let answer = self.undo(run).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { again: true, .. }), "{answer:?}");
        let granted = self.grant(&job(run, "u", 0), 1, 1).await;
        assert!(matches!(self.record(&job(run, "u", 0), granted.fence, ok()).await, RecordVerdict::Ok(_)));
        let answer = self.end(run, RunStatus::Cancelled).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { .. }), "{answer:?}");
    }

    async fn a_parked_run_goes_back_to_its_compensations(&mut self) {
        let run = self.two_jobs().await;
        self.undo(run).await;
        let reason = "test".to_owned();
        assert_eq!(self.apply(Op::Park { run, reason }).await, Reply::Changed(true));
        assert_eq!(self.run(run).await.state.status, RunStatus::Stuck);
        assert_eq!(self.cancel(run).await, CancelAnswer::Already);
        assert_eq!(
            self.apply(Op::Unpark { run, actor: Actor::local(), operation: String::new() }).await,
            Reply::Changed(true)
        );
        assert_eq!(self.run(run).await.state.status, RunStatus::Undoing);
    }
}
