//! The common tail of every transition that ends a task: counters, the next held index,
//! and the closing of a group that is decided.

use baton_common::JobId;
use baton_common::records::{
    Body, DueKey, DueKind, Event, EventKind, Group, GroupPhase, InterruptState, RunInfo, RunState, RunStatus, Task,
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
        } else if group.state.phase == GroupPhase::Open && group.is_decided() {
            self.close_group(info, state, group, job)?;
            if matches!(state.status, RunStatus::Running | RunStatus::Undoing) {
                tail.closed = Some(Box::new(self.closed(info, state)?));
            }
        } else if group.state.phase == GroupPhase::Open {
            if state.status != RunStatus::Cancelling {
                tail.released.extend(self.release_next(job, group)?);
            }
            self.rows.put_group_state(job.run, &group.info.id, &group.state)?;
        } else {
            self.rows.put_group_state(job.run, &group.info.id, &group.state)?;
        }
        if state.status == RunStatus::Cancelling && !group.info.detached {
            self.hasten_cancel(info)?;
        }
        self.rows.put_run_state(job.run, state)?;
        Ok(tail)
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
            TaskState::Claimed { .. } => self.rows.delete_due(&DueKey::task(DueKind::Lease, job))?,
            TaskState::Parked | TaskState::OutcomeUnknown => self.withdraw(info, state, job)?,
            _ => {}
        }
        Ok(())
    }

    /// Withdraws the open question of a task, if it has one.
    fn withdraw(&mut self, info: &RunInfo, state: &mut RunState, job: &JobId) -> Outcome<()> {
        let Some(mut interrupt) = self.rows.interrupt(job)? else { return Ok(()) };
        self.rows.delete_due(&DueKey::task(DueKind::Timer, job))?;
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
        self.cancel_open_tasks(info, state, group, job, true)?;
        group.state.phase = GroupPhase::Closed;
        self.rows.put_group_state(job.run, &group.info.id, &group.state)?;
        self.drop_group_due(job, group)?;
        state.closed += 1;
        state.ready_at = self.now;
        self.group_event(job, state, group, EventKind::Closed, u64::from(group.state.ok), "decided")?;
        if state.status != RunStatus::Cancelling && state.status != RunStatus::Stuck && self.guards.hold(Guard::Ready) {
            let at = self.now.plus_ms(self.timings.ready_after_ms);
            self.rows.put_due(&DueKey::run(DueKind::Ready, job.run), at)?;
        }
        Ok(())
    }

    /// Cancels the tasks of a group that have not ended; claimed ones only when asked to. One
    /// event counts them all. Whether a claimed task is left.
    pub(super) fn cancel_open_tasks(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        claimed_too: bool,
    ) -> Outcome<bool> {
        let mut claimed_left = false;
        if group.state.ended() >= group.info.count {
            return Ok(false);
        }
        let before = group.state.cancelled;
        for index in 0..group.info.count {
            let Some(mut task) = self.rows.task(job.run, &group.info.id, index)? else { continue };
            if task.state.is_ended() {
                continue;
            }
            if matches!(task.state, TaskState::Claimed { .. }) && !claimed_too {
                claimed_left = true;
                continue;
            }
            let each = JobId { index, group: group.info.id.clone(), ..job.clone() };
            self.count_end(info, state, group, &each, &mut task, Ending::Cancelled(None))?;
        }
        group.state.next_held = group.info.count;
        let cancelled = u64::from(group.state.cancelled - before);
        if cancelled > 0 {
            self.group_event(job, state, group, EventKind::Recorded, cancelled, "cancelled")?;
        }
        Ok(claimed_left)
    }

    fn group_event(
        &mut self,
        job: &JobId,
        state: &mut RunState,
        group: &Group,
        kind: EventKind,
        number: u64,
        text: &str,
    ) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(&Event {
            run: job.run,
            seq: state.events,
            at: self.now,
            kind,
            group: group.info.id.to_string(),
            index: None,
            number,
            text: text.to_owned(),
        })
    }

    /// Removes the due entries of a group as a whole.
    pub(super) fn drop_group_due(&mut self, job: &JobId, group: &Group) -> Outcome<()> {
        for kind in [DueKind::Publish, DueKind::Check, DueKind::Timer] {
            self.rows.delete_due(&DueKey::group(kind, job.run, &group.info.id))?;
        }
        Ok(())
    }

    /// Makes a run that is being cancelled ready once no claimed task is left.
    pub(super) fn hasten_cancel(&mut self, info: &RunInfo) -> Outcome<()> {
        for group in self.rows.groups(info.id)? {
            if group.info.detached || group.state.phase == GroupPhase::Closed {
                continue;
            }
            for index in 0..group.info.count {
                if let Some(task) = self.rows.task(info.id, &group.info.id, index)?
                    && matches!(task.state, TaskState::Claimed { .. })
                {
                    return Ok(());
                }
            }
        }
        self.rows.put_due(&DueKey::run(DueKind::Ready, info.id), self.now)
    }

    /// The closed groups of a run with their outcomes, as long as these are small.
    pub(super) fn closed(&mut self, info: &RunInfo, state: &RunState) -> Outcome<Closed> {
        let mut groups = Vec::new();
        let mut bytes = 0;
        for group in self.rows.groups(info.id)? {
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
