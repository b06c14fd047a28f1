//! Letting tasks go: a job may be published, a question is asked, a wait begins, a child starts.

use baton_common::ids::InterruptId;
use baton_common::records::{
    DueKey, DueKind, EventKind, Group, Interrupt, InterruptState, RunInfo, RunState, Task, TaskKind, TaskState,
};
use baton_common::transition::{Publishable, Tail};
use baton_common::{JobId, Timestamp};

use super::{Machine, Outcome};

impl Machine<'_> {
    /// Lets the next indexes of an open group go, as many as its window and the share have room
    /// for; whether more would. Writes what they need; the group's row is the caller's to write.
    pub(super) fn release_next(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        tail: &mut Tail,
    ) -> Outcome<bool> {
        let window = group.info.window.clamp(1, group.info.count);
        while group.state.next_held < group.info.count && group.state.next_held - group.state.ended() < window {
            let mut index = group.state.next_held;
            if group.state.linked {
                let Some(first) = self.rows.first_waiting(info.id, &group.info.id)? else { break };
                index = first;
            }
            if self.going == 0 {
                return Ok(true);
            }
            self.going -= 1;
            if group.state.linked {
                self.rows.delete_waiting(info.id, &group.info.id, index)?;
            }
            group.state.next_held += 1;
            let job = JobId { index, ..self.first_job(info, state, group) };
            let Some(mut task) = self.rows.task(job.run, &job.group, index)? else { break };
            if let Some(released) = self.release(info, state, group, &job, &mut task, tail)? {
                tail.released.push(released);
            }
        }
        Ok(false)
    }

    /// Lets one task go. A job's publication has a due entry of its own.
    fn release(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        tail: &mut Tail,
    ) -> Outcome<Option<Publishable>> {
        if group.info.kind == TaskKind::Job {
            task.state = TaskState::Publishable { not_before: self.now };
            task.dispatch_seq = task.dispatch_seq.next();
            group.state.publishable += 1;
            self.rows.put_task(job.run, &job.group, job.index, task)?;
            let at = self.now.plus_ms(self.timings.publish_after_ms);
            self.rows.put_due(&DueKey::task(DueKind::Publish, job), at)?;
            return Ok(Some(Publishable { job: job.clone(), seq: task.dispatch_seq }));
        }
        task.state = TaskState::Parked;
        self.rows.put_task(job.run, &job.group, job.index, task)?;
        self.begin(info, state, group, job, task.phase, tail)?;
        Ok(None)
    }

    /// What the release of a task that no worker runs begins: its row says that it is parked.
    pub(super) fn begin(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        phase: u32,
        tail: &mut Tail,
    ) -> Outcome<()> {
        match group.info.kind {
            TaskKind::Job => Ok(()),
            TaskKind::Ask => {
                let terms = self.rows.terms(job.run, &job.group, job.index)?.unwrap_or_default();
                let question = self.rows.input(job.run, &job.group, job.index)?.unwrap_or_default();
                self.ask(info, state, job, phase, &question, terms.over_at(self.now)).map(drop)
            }
            TaskKind::Wait => self.begin_wait(info, state, job),
            TaskKind::Child => self.start_child(state, group, job, tail),
        }
    }

    /// Opens the question of a task: the `ordinal`-th of its job.
    pub(super) fn ask(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        job: &JobId,
        ordinal: u32,
        question: &str,
        expires_at: Option<Timestamp>,
    ) -> Outcome<InterruptId> {
        let id = InterruptId::of(job, ordinal);
        self.rows.put_interrupt(&Interrupt {
            id,
            job: job.clone(),
            state: InterruptState::Open,
            opened_at: self.now,
            expires_at,
            question: question.to_owned(),
        })?;
        self.rows.put_inbox(&info.thread.tenant, self.now, id, job)?;
        if let Some(at) = expires_at {
            self.rows.put_due(&DueKey::task(DueKind::Timer, job), at)?;
        }
        self.task_event(job, state, EventKind::Asked, 0, id.to_string())?;
        Ok(id)
    }
}
