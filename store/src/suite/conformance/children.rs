//! Tasks that are runs of their own.

use baton_common::records::{DueKind, RunStatus};
use baton_common::transition::{AdvanceAnswer, Op, Reply};
use baton_common::{Gen, RunId, Seq};

use super::super::world::GroupPlan;
use super::{Story, job};

impl Story<'_> {
    pub(super) async fn children(&mut self) {
        self.a_childs_end_is_its_callers_result().await;
        self.a_window_starts_one_child_after_the_other().await;
        self.a_failed_child_fails_its_task().await;
        self.a_cancel_reaches_children_and_waits_for_them().await;
        self.a_callers_end_cancels_its_children().await;
        self.a_childs_records_go_with_it().await;
    }

    /// A run that calls children: itself, and those.
    async fn calling(&mut self, count: u32, window: u32) -> (RunId, Vec<RunId>) {
        let run = self.running(&[]).await;
        let info = self.run(run).await.info;
        let plan = GroupPlan { count, window, need_ok: count, ..GroupPlan::child("c", &info, Gen(0)) };
        let wanted = (0..count).filter_map(|index| plan.child_info(index)).map(|info| info.id).collect();
        let answer = self.advance(run, |commit| commit.open = vec![plan.new_group(run, Seq(1), false)]).await;
        let AdvanceAnswer::Advanced { children, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(children.len(), usize::try_from(window).expect("a count"));
        (run, wanted)
    }

    async fn a_childs_end_is_its_callers_result(&mut self) {
        let (run, children) = self.calling(1, 1).await;
        assert_eq!(self.states(run, "c").await, ["parked"]);
        let child = self.run(children[0]).await;
        assert_eq!((child.state.status, self.due(children[0]).await), (RunStatus::Running, vec![DueKind::Ready]));
        let answer = self.end(children[0], RunStatus::Succeeded).await;
        let AdvanceAnswer::Advanced { parent: Some(parent), .. } = answer else { panic!("{answer:?}") };
        assert_eq!(parent.0, run);
        assert!(parent.1.closed.is_some());
        assert_eq!(self.states(run, "c").await, ["done"]);
        let bodies = self.subject.bodies(&job(run, "c", 0)).await.expect("a read");
        assert_eq!(bodies.result, self.run(children[0]).await.end);
    }

    async fn a_window_starts_one_child_after_the_other(&mut self) {
        let (_, children) = self.calling(2, 1).await;
        assert_eq!(self.subject.run(children[1]).await.expect("a read"), None);
        let answer = self.end(children[0], RunStatus::Succeeded).await;
        let AdvanceAnswer::Advanced { parent: Some(parent), .. } = answer else { panic!("{answer:?}") };
        assert_eq!(parent.1.ready, [children[1]]);
        assert_eq!(self.run(children[1]).await.state.status, RunStatus::Running);
    }

    async fn a_failed_child_fails_its_task(&mut self) {
        let (run, children) = self.calling(1, 1).await;
        self.end(children[0], RunStatus::Failed).await;
        assert_eq!(self.states(run, "c").await, ["failed"]);
    }

    async fn a_cancel_reaches_children_and_waits_for_them(&mut self) {
        let (run, children) = self.calling(2, 2).await;
        self.cancel(run).await;
        assert!(!self.due(run).await.contains(&DueKind::Ready));
        for child in &children {
            assert_eq!(self.run(*child).await.state.status, RunStatus::Cancelling);
            self.end(*child, RunStatus::Cancelled).await;
        }
        assert_eq!(self.states(run, "c").await, ["cancelled", "cancelled"]);
        assert!(self.due(run).await.contains(&DueKind::Ready));
    }

    async fn a_callers_end_cancels_its_children(&mut self) {
        let (run, children) = self.calling(1, 1).await;
        self.end(run, RunStatus::Failed).await;
        assert_eq!(self.run(children[0]).await.state.status, RunStatus::Cancelling);
        let answer = self.end(children[0], RunStatus::Cancelled).await;
        assert!(matches!(answer, AdvanceAnswer::Advanced { parent: None, .. }), "{answer:?}");
    }

    async fn a_childs_records_go_with_it(&mut self) {
        let (run, children) = self.calling(1, 1).await;
        let thread = self.run(children[0]).await.info.thread;
        self.end(run, RunStatus::Failed).await;
        self.now = self.now.plus_ms(100_000);
        assert_eq!(self.apply(Op::Gc { run }).await, Reply::Changed(false), "a child is open");
        self.end(children[0], RunStatus::Cancelled).await;
        assert_eq!(self.apply(Op::Gc { run: children[0] }).await, Reply::Changed(true));
        assert_eq!(self.subject.thread(&thread).await.expect("a read"), None);
        assert_eq!(self.apply(Op::Gc { run }).await, Reply::Changed(true));
    }
}
