//! ANSWER and FIRE: one decision per question, and the times that end questions, groups
//! and runs.

use baton_common::records::{
    Audit, DueKey, DueKind, EventKind, GroupPhase, Interrupt, InterruptState, RunState, RunStatus,
};
use baton_common::transition::{Answer, AnswerVerdict, Fire, FireAnswer, Tail};
use baton_common::{JobId, RunId};

use super::tail::Ending;
use super::{Machine, Outcome, bodies};

impl Machine<'_> {
    pub(super) fn answer(&mut self, op: &Answer) -> Outcome<AnswerVerdict> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(AnswerVerdict::Unknown);
        };
        let Some(mut interrupt) = self.rows.interrupt(job)?.filter(|known| known.id == op.interrupt) else {
            return Ok(AnswerVerdict::Unknown);
        };
        if let Some(verdict) = refuse_answer(op, &interrupt, &state, self.now) {
            return Ok(verdict);
        }
        let group = self.rows.group(job.run, &job.group)?;
        let task = self.rows.task(job.run, &job.group, job.index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else { return Ok(AnswerVerdict::Withdrawn) };
        interrupt.state =
            InterruptState::Answered { decision: op.decision.clone(), actor: op.actor.clone(), at: self.now };
        self.settle_question(&info.thread.tenant, &mut state, &interrupt, "answered")?;
        self.rows.append_audit(&Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "answer".to_owned(),
            run: job.run,
            subject: interrupt.id.to_string(),
            before: state.ver,
            after: state.ver,
            verdict: "ok".to_owned(),
        })?;
        let ending = if op.ok { Ending::Done(&op.outcome) } else { Ending::Failed(&op.outcome) };
        let tail = self.finish(&info, &mut state, &mut group, job, &mut task, ending)?;
        Ok(AnswerVerdict::Ok(tail))
    }

    /// Writes a question that is no longer open, and takes it out of the inbox.
    fn settle_question(
        &mut self,
        tenant: &baton_common::TenantId,
        state: &mut RunState,
        interrupt: &Interrupt,
        how: &str,
    ) -> Outcome<()> {
        self.rows.put_interrupt(interrupt)?;
        self.rows.delete_inbox(tenant, interrupt.id)?;
        self.rows.delete_due(&DueKey::task(DueKind::Timer, &interrupt.job))?;
        self.task_event(&interrupt.job, state, EventKind::Answered, 0, how)
    }

    pub(super) fn fire(&mut self, op: &Fire) -> Outcome<FireAnswer> {
        match (&op.group, op.index) {
            (None, _) => self.fire_run(op.run),
            (Some(group), None) => self.fire_group(op.run, group),
            (Some(group), Some(index)) => self.fire_question(op.run, group, index),
        }
    }

    /// A run's duration is over: it becomes ready, and the step that follows ends it.
    fn fire_run(&mut self, run: RunId) -> Outcome<FireAnswer> {
        let entry = DueKey::run(DueKind::Timer, run);
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        let Some(deadline) = info.deadline else { return Ok(FireAnswer::Kept) };
        if deadline > self.now {
            self.rows.put_due(&entry, deadline)?;
            return Ok(FireAnswer::Kept);
        }
        if state.status == RunStatus::Queued {
            self.rows.put_due(&entry, self.now.plus_ms(self.timings.hide_ms))?;
            return Ok(FireAnswer::Kept);
        }
        self.rows.delete_due(&entry)?;
        if !matches!(state.status, RunStatus::Running | RunStatus::Undoing) {
            return Ok(FireAnswer::Kept);
        }
        state.ready_at = self.now;
        self.rows.put_run_state(run, &state)?;
        self.rows.put_due(&DueKey::run(DueKind::Ready, run), self.now)?;
        let closed = self.closed(&info, &state)?;
        Ok(FireAnswer::Fired(Tail { closed: Some(Box::new(closed)), ..Tail::default() }))
    }

    /// A group's deadline: it closes with what it has.
    fn fire_group(&mut self, run: RunId, id: &baton_common::GroupId) -> Outcome<FireAnswer> {
        let entry = DueKey::group(DueKind::Timer, run, id);
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        let Some(mut group) = self.rows.group(run, id)?.filter(|group| group.state.phase == GroupPhase::Open) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        match group.info.deadline {
            Some(deadline) if deadline <= self.now => {}
            Some(deadline) => {
                self.rows.put_due(&entry, deadline)?;
                return Ok(FireAnswer::Kept);
            }
            None => return Ok(FireAnswer::Kept),
        }
        let job = self.first_job(&info, &state, &group);
        if group.info.detached {
            // Nobody folds a detached group: it goes with its deadline.
            self.cancel_open_tasks(&info, &mut state, &mut group, &job, true)?;
            state.detached_open = state.detached_open.saturating_sub(1);
            self.drop_group_due(&job, &group)?;
            self.rows.delete_group(run, id)?;
            self.rows.put_run_state(run, &state)?;
            return Ok(FireAnswer::Fired(Tail::default()));
        }
        self.close_group(&info, &mut state, &mut group, &job)?;
        let running = matches!(state.status, RunStatus::Running | RunStatus::Undoing);
        let closed = if running { Some(Box::new(self.closed(&info, &state)?)) } else { None };
        self.rows.put_run_state(run, &state)?;
        Ok(FireAnswer::Fired(Tail { closed, ..Tail::default() }))
    }

    /// A question's expiry: its task fails with `expired`.
    fn fire_question(&mut self, run: RunId, id: &baton_common::GroupId, index: u32) -> Outcome<FireAnswer> {
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            return Ok(FireAnswer::Kept);
        };
        let job = JobId { run, r#gen: state.r#gen, group: id.clone(), index };
        let entry = DueKey::task(DueKind::Timer, &job);
        let Some(mut interrupt) =
            self.rows.interrupt(&job)?.filter(|interrupt| interrupt.state == InterruptState::Open)
        else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        if let Some(at) = interrupt.expires_at.filter(|at| *at > self.now) {
            self.rows.put_due(&entry, at)?;
            return Ok(FireAnswer::Kept);
        }
        let group = self.rows.group(run, id)?;
        let task = self.rows.task(run, id, index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        interrupt.state = InterruptState::Expired;
        self.settle_question(&info.thread.tenant, &mut state, &interrupt, "expired")?;
        let body = bodies::expired();
        let tail = self.finish(&info, &mut state, &mut group, &job, &mut task, Ending::Failed(&body))?;
        Ok(FireAnswer::Fired(tail))
    }
}

fn refuse_answer(
    op: &Answer,
    interrupt: &Interrupt,
    state: &RunState,
    now: baton_common::Timestamp,
) -> Option<AnswerVerdict> {
    match &interrupt.state {
        InterruptState::Answered { decision, .. } if *decision == op.decision => Some(AnswerVerdict::Already),
        InterruptState::Answered { decision, .. } => Some(AnswerVerdict::Conflict { recorded: decision.clone() }),
        InterruptState::Expired => Some(AnswerVerdict::Expired),
        InterruptState::Withdrawn => Some(AnswerVerdict::Withdrawn),
        InterruptState::Open if state.status.is_terminal() || state.status == RunStatus::Cancelling => {
            Some(AnswerVerdict::Terminal)
        }
        InterruptState::Open if interrupt.expires_at.is_some_and(|at| at <= now) => Some(AnswerVerdict::Expired),
        InterruptState::Open => None,
    }
}
