//! Children: a task that is a run of its own. Its start is written with its release, its end
//! with the terminal advance of the child, its cancel with whatever cancels the task.

use baton_common::commit::RunEnd;
use baton_common::records::{
    Body, DueKey, DueKind, EventKind, Group, RunInfo, RunState, RunStatus, TaskKind, TaskState, Thread,
};
use baton_common::transition::Tail;
use baton_common::{JobId, RunId};

use super::tail::Ending;
use super::{Machine, Outcome};
use crate::Error;

impl Machine<'_> {
    /// Starts the run of a task that was released.
    pub(super) fn start_child(
        &mut self,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        tail: &mut Tail,
    ) -> Outcome<()> {
        let info = self.child_info(job)?;
        group.state.at_work += 1;
        state.children += 1;
        self.task_event(job, state, EventKind::Waits, 0, info.id.to_string())?;
        if self.rows.run_info(info.id)?.is_some() {
            return Ok(());
        }
        let mut thread = self.rows.thread(&info.thread)?.unwrap_or_else(|| Thread::new(info.thread.clone()));
        thread.active = Some(info.id);
        let mut child = RunState { base: thread.head, ..RunState::new(RunStatus::Running, self.now) };
        self.run_event(info.id, &mut child, EventKind::Submitted, 0, RunStatus::Running.name())?;
        self.rows.put_thread(thread)?;
        self.rows.put_run_info(&info)?;
        self.rows.put_run_state(info.id, &child)?;
        self.rows.put_due(&DueKey::run(DueKind::Ready, info.id), self.now)?;
        if let Some(deadline) = info.deadline {
            self.rows.put_due(&DueKey::run(DueKind::Timer, info.id), deadline)?;
        }
        tail.ready.push(info.id);
        Ok(())
    }

    /// The run that a task is.
    pub(super) fn child_info(&mut self, job: &JobId) -> Outcome<RunInfo> {
        let body = self.rows.input(job.run, &job.group, job.index)?.unwrap_or_default();
        serde_json::from_str(&body).map_err(|error| Error::Broken(format!("{job} names no run: {error}")))
    }

    /// Cancels the run of a task that is no longer wanted.
    pub(super) fn cancel_child(&mut self, job: &JobId) -> Outcome<()> {
        let info = self.child_info(job)?;
        let Some(mut state) = self.rows.run_state(info.id)? else { return Ok(()) };
        let may = matches!(state.status, RunStatus::Queued | RunStatus::Running | RunStatus::Stuck);
        if may && !state.undoing {
            self.begin_cancel(&info, &mut state)?;
        }
        Ok(())
    }

    /// Ends the caller's task with a child's end: the caller, and what followed there. The
    /// child's own rows are written by then.
    pub(super) fn child_ended(&mut self, child: &RunInfo, end: &RunEnd, body: &Body) -> Outcome<Option<(RunId, Tail)>> {
        let Some(parent) = &child.parent else { return Ok(None) };
        let job = &parent.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(None);
        };
        state.children = state.children.saturating_sub(1);
        let group = self.group(job.run, &job.group)?;
        let task = self.rows.task(job.run, &job.group, job.index)?;
        if let (Some(mut group), Some(mut task)) = (group, task)
            && !state.status.is_terminal()
            && job.r#gen == state.r#gen
            && group.info.kind == TaskKind::Child
            && task.state == TaskState::Parked
            && !task.is_over(&group)
        {
            let ending = match end.status {
                RunStatus::Succeeded => Ending::Done(body),
                RunStatus::Cancelled if super::stopped(&state, &group) => Ending::Cancelled(Some(body)),
                _ => Ending::Failed(body),
            };
            let tail = self.finish(&info, &mut state, &mut group, job, &mut task, ending)?;
            return Ok(Some((job.run, tail)));
        }
        self.rows.put_run_state(job.run, &state)?;
        Ok(None)
    }
}
