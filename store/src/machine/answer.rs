//! ANSWER: one decision per question.

use baton_common::records::{
    Audit, DueKey, DueKind, EventKind, Interrupt, InterruptState, RunState, TaskKind, TaskState,
};
use baton_common::transition::{Answer, AnswerVerdict};

use super::tail::Ending;
use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn answer(&mut self, op: &Answer) -> Outcome<AnswerVerdict> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(AnswerVerdict::Unknown);
        };
        let Some(mut interrupt) = self.rows.interrupt(job)?.filter(|known| known.id == op.interrupt) else {
            return Ok(AnswerVerdict::Unknown);
        };
        let group = self.group(job.run, &job.group)?;
        let refused = state.status.is_terminal() || group.as_ref().is_some_and(|group| super::stopped(&state, group));
        let refused = refused && !group.as_ref().is_some_and(|group| group.info.detached);
        if let Some(verdict) = refuse_answer(op, &interrupt, refused, self.now) {
            return Ok(verdict);
        }
        let task = self.rows.task(job.run, &job.group, job.index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else { return Ok(AnswerVerdict::Withdrawn) };
        if task.is_over(&group) {
            return Ok(AnswerVerdict::Withdrawn);
        }
        interrupt.state =
            InterruptState::Answered { decision: op.decision.clone(), actor: op.actor.clone(), at: self.now };
        self.settle_question(&info.thread.tenant, &mut state, &interrupt, "answered")?;
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "answer".to_owned(),
            run: job.run,
            subject: interrupt.id.to_string(),
            before: state.ver,
            after: state.ver,
            verdict: "ok".to_owned(),
            number: 0,
            prior: String::new(),
        })?;
        if group.info.kind == TaskKind::Job && task.state == TaskState::Parked {
            self.rows.put_continued(job.run, &job.group, job.index, &op.outcome)?;
            let tail = self.go_on(&info, &mut state, &mut group, job, &mut task)?;
            return Ok(AnswerVerdict::Ok(tail));
        }
        let ending = if op.ok { Ending::Done(&op.outcome) } else { Ending::Failed(&op.outcome) };
        let tail = self.finish(&info, &mut state, &mut group, job, &mut task, ending)?;
        Ok(AnswerVerdict::Ok(tail))
    }

    /// Writes a question that is no longer open, and takes it out of the inbox.
    pub(super) fn settle_question(
        &mut self,
        tenant: &baton_common::TenantId,
        state: &mut RunState,
        interrupt: &Interrupt,
        how: &'static str,
    ) -> Outcome<()> {
        self.rows.put_interrupt(interrupt)?;
        self.rows.delete_inbox(tenant, interrupt.id)?;
        self.rows.delete_due(&DueKey::task(DueKind::Timer, &interrupt.job))?;
        self.task_event(&interrupt.job, state, EventKind::Answered, 0, how)
    }
}

fn refuse_answer(
    op: &Answer,
    interrupt: &Interrupt,
    refused: bool,
    now: baton_common::Timestamp,
) -> Option<AnswerVerdict> {
    match &interrupt.state {
        InterruptState::Answered { decision, .. } if *decision == op.decision => Some(AnswerVerdict::Already),
        InterruptState::Answered { decision, .. } => Some(AnswerVerdict::Conflict { recorded: decision.clone() }),
        InterruptState::Expired => Some(AnswerVerdict::Expired),
        InterruptState::Withdrawn => Some(AnswerVerdict::Withdrawn),
        InterruptState::Open if refused => Some(AnswerVerdict::Terminal),
        InterruptState::Open if interrupt.expires_at.is_some_and(|at| at <= now) => Some(AnswerVerdict::Expired),
        InterruptState::Open => None,
    }
}
