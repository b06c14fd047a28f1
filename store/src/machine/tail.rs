//! The common tail of every transition that ends a task: counters, the next held index,
//! and the closing of a group that is decided.

use baton_common::JobId;
use baton_common::records::{
    Body, DueKey, DueKind, EventKind, Group, GroupPhase, InterruptState, RunInfo, RunState, RunStatus, Task, TaskKind,
    TaskState,
};
use baton_common::transition::{CLOSED_BYTES_MAX, Closed, ClosedGroup, Tail};

use super::{Guard, Machine, Outcome};

/// How a task ends, with its outcome as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending<'a> {
    Done(&'a Body),
    Failed(&'a Body),
    Cancelled(Option<&'a Body>),
}

impl Machine<'_> {
    /// Ends a task and does what follows for its group and run. Writes the run's state.
    pub(super) fn finish(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        ending: Ending<'_>,
    ) -> Outcome<Tail> {
        self.end_task(info, state, group, job, task, ending)?;
        let mut tail = Tail::default();
        if group.info.detached {
            state.detached_open = state.detached_open.saturating_sub(1);
            self.drop_group_due(job, group)?;
            self.rows.delete_group(job.run, &group.info.id)?;
        } else if self.follow_group(info, state, group, job, &mut tail)?
            && matches!(state.status, RunStatus::Running | RunStatus::Undoing)
        {
            tail.closed = Some(Box::new(self.closed(info, state)?));
        }
        if state.status == RunStatus::Cancelling && !group.info.detached {
            self.hasten_cancel(info)?;
        }
        self.rows.put_run_state(job.run, state)?;
        Ok(tail)
    }

    /// What the end of a task leads to in its group, which is written. Whether it closed.
    fn follow_group(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        tail: &mut Tail,
    ) -> Outcome<bool> {
        let open = group.state.phase == GroupPhase::Open;
        if open && group.state.linked {
            self.settle_needs(info, state, group, job)?;
        }
        let closes = match group.state.phase {
            GroupPhase::Open => group.is_decided(),
            GroupPhase::Stopping => group.state.at_work == 0,
            GroupPhase::Closed | GroupPhase::Dropped => false,
        };
        if closes {
            self.close_group(info, state, group, job)?;
            return Ok(true);
        }
        let mut more = open && group.state.settling;
        if open && !super::stopped(state, group) {
            more |= self.release_next(info, state, group, tail)?;
        }
        if more {
            self.rows.put_due(&DueKey::group(DueKind::Timer, job.run, &group.info.id), self.now)?;
        }
        self.rows.put_group_state(job.run, &group.info.id, &group.state)?;
        Ok(false)
    }

    /// Ends a task and counts it. Leaves the group's row to the caller.
    pub(super) fn end_task(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        ending: Ending<'_>,
    ) -> Outcome<()> {
        let text = match ending {
            Ending::Done(_) => "ok",
            Ending::Failed(_) => "failed",
            Ending::Cancelled(_) => "cancelled",
        };
        let fence = task.fence.0;
        self.count_end(info, state, group, job, task, ending)?;
        self.task_event(job, state, EventKind::Recorded, fence, text)
    }

    /// The same without its event.
    fn count_end(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        ending: Ending<'_>,
    ) -> Outcome<()> {
        self.clear_wakes(info, state, group, job, task)?;
        let (end, counter, body) = match ending {
            Ending::Done(body) => (TaskState::Done, &mut group.state.ok, Some(body)),
            Ending::Failed(body) => (TaskState::Failed, &mut group.state.failed, Some(body)),
            Ending::Cancelled(body) => (TaskState::Cancelled, &mut group.state.cancelled, body),
        };
        *counter += 1;
        task.state = end;
        self.rows.put_task(job.run, &job.group, job.index, task)?;
        match body {
            Some(body) => self.rows.put_result(job.run, &job.group, job.index, body),
            None => Ok(()),
        }
    }

    /// Removes whatever would wake a task in its present state: its due entry, its open
    /// question, its place among the publishable.
    pub(super) fn clear_wakes(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &Task,
    ) -> Outcome<()> {
        match task.state {
            TaskState::Publishable { .. } => {
                group.state.publishable = group.state.publishable.saturating_sub(1);
                self.rows.delete_due(&DueKey::task(DueKind::Publish, job))?;
            }
            TaskState::Claimed { .. } => {
                group.state.at_work = group.state.at_work.saturating_sub(1);
                self.rows.delete_due(&DueKey::task(DueKind::Lease, job))?;
            }
            TaskState::OutcomeUnknown => self.withdraw(info, state, job)?,
            TaskState::Parked => match group.info.kind {
                TaskKind::Job | TaskKind::Ask => self.withdraw(info, state, job)?,
                TaskKind::Wait => self.stop_wait(info, state, job)?,
                TaskKind::Child => group.state.at_work = group.state.at_work.saturating_sub(1),
            },
            _ => {}
        }
        Ok(())
    }

    /// Withdraws the open question of a task, if it has one.
    fn withdraw(&mut self, info: &RunInfo, state: &mut RunState, job: &JobId) -> Outcome<()> {
        self.rows.delete_due(&DueKey::task(DueKind::Timer, job))?;
        let Some(mut interrupt) = self.rows.interrupt(job)? else { return Ok(()) };
        if interrupt.state == InterruptState::Open {
            interrupt.state = InterruptState::Withdrawn;
            self.rows.put_interrupt(&interrupt)?;
            self.rows.delete_inbox(&info.thread.tenant, interrupt.id)?;
            self.task_event(job, state, EventKind::Answered, 0, "withdrawn")?;
        }
        Ok(())
    }

    /// Closes a group: cancels what has not ended and makes the run ready.
    pub(super) fn close_group(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
    ) -> Outcome<()> {
        let why = if group.state.phase == GroupPhase::Stopping { "cancelled" } else { "decided" };
        self.cancel_rest(info, state, group, job, true)?;
        self.write_closed(state, group, job, why)?;
        self.rows.put_group_state(job.run, &group.info.id, &group.state)?;
        self.drop_group_due(job, group)?;
        let waits = matches!(state.status, RunStatus::Cancelling | RunStatus::Stuck);
        if !waits && self.guards.hold(Guard::Ready) {
            let at = self.now.plus_ms(self.timings.ready_after_ms);
            self.rows.put_due(&DueKey::run(DueKind::Ready, job.run), at)?;
        }
        Ok(())
    }

    /// Counts a group as closed. Its row is the caller's to write.
    pub(super) fn write_closed(
        &mut self,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        why: &'static str,
    ) -> Outcome<()> {
        group.state.phase = GroupPhase::Closed;
        group.state.closed_at = Some(self.now);
        state.closed += 1;
        state.ready_at = self.now;
        let ok = u64::from(group.state.ok);
        self.group_event(job.run, state, EventKind::Closed, &group.info.id, ok, why)
    }

    /// Cancels what has not ended of a group, and what is at work only when asked to; runs of
    /// children are cancelled either way. The tasks' rows stay as they are: the phase that
    /// the caller gives the group says it of them.
    pub(super) fn cancel_rest(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        at_work_too: bool,
    ) -> Outcome<()> {
        if group.state.ended() >= group.info.count {
            return Ok(());
        }
        if group.info.kind == TaskKind::Job {
            self.stop_jobs(info, state, group, job, at_work_too)?;
        } else if group.state.phase == GroupPhase::Open {
            let last = if group.state.linked { group.info.count } else { group.state.next_held };
            (group.state.left_from, group.state.left_until) = (0, last);
            self.stop_left(info, state, group, job)?;
            state.leaving += u32::from(group.state.has_left());
        }
        if at_work_too {
            group.state.at_work = 0;
        }
        let rest = group.info.count.saturating_sub(group.state.ended() + group.state.at_work);
        group.state.cancelled += rest;
        group.state.publishable = 0;
        group.state.next_held = group.info.count;
        if rest == 0 {
            return Ok(());
        }
        self.group_event(job.run, state, EventKind::Recorded, &group.info.id, u64::from(rest), "cancelled")
    }

    /// Takes the jobs of a group out of whatever would wake them, those at work only when
    /// asked to.
    fn stop_jobs(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        at_work_too: bool,
    ) -> Outcome<()> {
        for (index, task) in (0_u32..).zip(self.rows.tasks(job.run, &group.info.id)?) {
            if task.is_over(group) || task.state == TaskState::Held {
                continue;
            }
            let each = JobId { index, group: group.info.id.clone(), ..job.clone() };
            if at_work_too || !task.is_at_work(group.info.kind) {
                self.clear_wakes(info, state, group, &each, &task)?;
            }
        }
        Ok(())
    }

    /// Removes the due entries of a group as a whole, but what goes on with it where something
    /// is left.
    pub(super) fn drop_group_due(&mut self, job: &JobId, group: &Group) -> Outcome<()> {
        for kind in [DueKind::Publish, DueKind::Check] {
            self.rows.delete_due(&DueKey::group(kind, job.run, &group.info.id))?;
        }
        let timer = DueKey::group(DueKind::Timer, job.run, &group.info.id);
        if group.state.has_left() { self.rows.put_due(&timer, self.now) } else { self.rows.delete_due(&timer) }
    }

    /// The closed groups of a run with their outcomes, as long as these are small.
    pub(super) fn closed(&mut self, info: &RunInfo, state: &RunState) -> Outcome<Closed> {
        let mut groups = Vec::new();
        let mut bytes = 0;
        for group in self.groups(info.id)? {
            if group.state.phase != GroupPhase::Closed {
                continue;
            }
            let mut outcomes = Some(Vec::new());
            for index in 0..group.info.count {
                let result = self.rows.result(info.id, &group.info.id, index)?;
                bytes += result.as_ref().map_or(0, String::len);
                if bytes > CLOSED_BYTES_MAX || group.info.count > baton_common::transition::NARROW_TASKS_MAX {
                    outcomes = None;
                    break;
                }
                if let Some(outcomes) = &mut outcomes {
                    outcomes.push(result);
                }
            }
            groups.push(ClosedGroup { info: group.info, state: group.state, outcomes });
        }
        Ok(Closed { run: state.clone(), groups })
    }
}
