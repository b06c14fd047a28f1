//! FIRE: the times that end questions, waits, groups and runs.

use baton_common::records::{
    DueKey, DueKind, Group, GroupPhase, InterruptState, RunInfo, RunState, RunStatus, TaskKind, TaskState,
};
use baton_common::transition::{Fire, FireAnswer, Tail};
use baton_common::{Gen, GroupId, JobId, RunId};

use super::tail::Ending;
use super::{Machine, Outcome, bodies};

impl Machine<'_> {
    pub(super) fn fire(&mut self, op: &Fire) -> Outcome<FireAnswer> {
        match (&op.group, op.index) {
            (None, _) => self.fire_run(op.run),
            (Some(group), None) => self.fire_group(op.run, group),
            (Some(group), Some(index)) => self.fire_task(op.run, group, index),
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
    fn fire_group(&mut self, run: RunId, id: &GroupId) -> Outcome<FireAnswer> {
        let entry = DueKey::group(DueKind::Timer, run, id);
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        let at_hand = |group: &Group| group.state.phase == GroupPhase::Open || group.state.has_left();
        let Some(mut group) = self.rows.group(run, id)?.filter(at_hand) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        let job = self.first_job(&info, &state, &group);
        if group.state.phase != GroupPhase::Open {
            return self.fire_left(&info, state, group, &job);
        }
        if group.info.deadline.is_none_or(|deadline| deadline > self.now) {
            return self.fire_open(&info, state, group, &job);
        }
        if group.info.detached {
            // Nobody folds a detached group: it goes with its deadline.
            self.cancel_rest(&info, &mut state, &mut group, &job, true)?;
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

    /// A group goes on with what a share was too small for.
    fn fire_open(&mut self, info: &RunInfo, mut state: RunState, mut group: Group, job: &JobId) -> Outcome<FireAnswer> {
        let (whole, mut tail) = ((self.share, self.going), Tail::default());
        if group.state.settling {
            self.settle_left(info, &mut state, &mut group, job)?;
        }
        let running = matches!(state.status, RunStatus::Running | RunStatus::Undoing);
        if group.is_decided() {
            self.close_group(info, &mut state, &mut group, job)?;
            let closed = if running { Some(Box::new(self.closed(info, &state)?)) } else { None };
            self.rows.put_run_state(info.id, &state)?;
            return Ok(FireAnswer::Fired(Tail { closed, ..tail }));
        }
        let more = self.release_next(info, &mut state, &mut group, &mut tail)? || group.state.settling;
        let entry = DueKey::group(DueKind::Timer, info.id, &group.info.id);
        match group.info.deadline {
            _ if more => self.rows.put_due(&entry, self.now)?,
            Some(deadline) => self.rows.put_due(&entry, deadline)?,
            None => self.rows.delete_due(&entry)?,
        }
        if (self.share, self.going) == whole {
            return Ok(FireAnswer::Kept);
        }
        self.rows.put_group_state(info.id, &group.info.id, &group.state)?;
        self.rows.put_run_state(info.id, &state)?;
        Ok(FireAnswer::Fired(tail))
    }

    /// A task's time is over: its question expires, its wait ends, or it goes on.
    fn fire_task(&mut self, run: RunId, id: &GroupId, index: u32) -> Outcome<FireAnswer> {
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            self.rows
                .delete_due(&DueKey::task(DueKind::Timer, &JobId { run, r#gen: Gen(0), group: id.clone(), index }))?;
            return Ok(FireAnswer::Kept);
        };
        let job = JobId { run, r#gen: state.r#gen, group: id.clone(), index };
        let entry = DueKey::task(DueKind::Timer, &job);
        let group = self.group(run, id)?;
        let task = self.rows.task(run, id, index)?;
        let interrupt = self.rows.interrupt(&job)?.filter(|interrupt| interrupt.state == InterruptState::Open);
        let (Some(mut group), Some(mut task)) = (group, task) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        let terms = match interrupt {
            Some(_) => None,
            None => self.rows.terms(run, id, index)?,
        };
        let over_at = interrupt.as_ref().map_or(terms.as_ref().and_then(|terms| terms.until), |it| it.expires_at);
        let Some(over_at) = over_at.filter(|_| task.state == TaskState::Parked && !task.is_over(&group)) else {
            self.rows.delete_due(&entry)?;
            return Ok(FireAnswer::Kept);
        };
        if over_at > self.now {
            self.rows.put_due(&entry, over_at)?;
            return Ok(FireAnswer::Kept);
        }
        if let Some(mut interrupt) = interrupt {
            interrupt.state = InterruptState::Expired;
            self.settle_question(&info.thread.tenant, &mut state, &interrupt, "expired")?;
            let body = bodies::expired();
            let tail = self.finish(&info, &mut state, &mut group, &job, &mut task, Ending::Failed(&body))?;
            return Ok(FireAnswer::Fired(tail));
        }
        if group.info.kind == TaskKind::Job {
            let tail = self.go_on(&info, &mut state, &mut group, &job, &mut task)?;
            return Ok(FireAnswer::Fired(tail));
        }
        let signal = terms.is_some_and(|terms| terms.signal.is_some());
        let body = if signal { bodies::unsignalled() } else { bodies::nothing() };
        let ending = if signal { Ending::Failed(&body) } else { Ending::Done(&body) };
        let tail = self.finish(&info, &mut state, &mut group, &job, &mut task, ending)?;
        Ok(FireAnswer::Fired(tail))
    }
}
