//! Opening groups: their tasks come in within the window, the rest is held. STAGE brings
//! the tasks of wide groups in ahead of the advance that opens them.

use baton_common::commit::NewGroup;
use baton_common::ids::{DispatchSeq, InterruptId};
use baton_common::records::{
    DueKey, DueKind, Event, EventKind, Group, GroupInfo, GroupState, Interrupt, InterruptState, RunInfo, RunState,
    Task, TaskKind, TaskState,
};
use baton_common::transition::Stage;
use baton_common::{Digest, Fence, JobId};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn stage(&mut self, op: &Stage) -> Outcome<bool> {
        match self.rows.run_state(op.run)? {
            Some(state) if !state.status.is_terminal() && state.last_op != Some(op.op) => {
                self.rows.put_staged(op.run, op.op, &op.group, op.first, &op.tasks)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Writes a group with its tasks, and what wakes each.
    pub(super) fn open_group(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        new: &NewGroup,
        op: Digest,
    ) -> Outcome<()> {
        let run = info.id;
        let staged;
        let tasks = if new.tasks.is_empty() {
            staged = self.rows.staged(run, op, &new.info.id)?;
            &staged
        } else {
            &new.tasks
        };
        let is_job = new.info.kind == TaskKind::Job;
        let under_way = if is_job { new.info.window.clamp(1, new.info.count) } else { new.info.count };
        let group = GroupState {
            next_held: under_way,
            publishable: if is_job { under_way } else { 0 },
            ..GroupState::default()
        };
        self.rows.put_group_info(run, &new.info)?;
        self.rows.put_group_state(run, &new.info.id, &group)?;
        self.opened_event(info, state, &new.info)?;
        for (index, task) in (0_u32..).zip(tasks) {
            let released = index < under_way;
            let row = Task {
                state: match (released, is_job) {
                    (false, _) => TaskState::Held,
                    (true, true) => TaskState::Publishable { not_before: self.now },
                    (true, false) => TaskState::Parked,
                },
                digest: task.digest,
                fence: Fence(0),
                app_attempts: 0,
                infra_attempts: 0,
                dispatch_seq: DispatchSeq(u32::from(released && is_job)),
                phase: 0,
            };
            self.rows.put_task(run, &new.info.id, index, &row)?;
            self.rows.put_input(run, &new.info.id, index, &task.body)?;
            if released && !is_job {
                let job = JobId { run, r#gen: state.r#gen, group: new.info.id.clone(), index };
                let expires_at = task.after_ms.map(|ms| self.now.plus_ms(ms));
                self.ask(info, state, &job, &task.body, expires_at)?;
            }
        }
        if is_job {
            let entry = DueKey::group(DueKind::Publish, run, &new.info.id);
            self.rows.put_due(&entry, self.now.plus_ms(self.timings.publish_after_ms))?;
        }
        if let Some(deadline) = new.info.deadline {
            self.rows.put_due(&DueKey::group(DueKind::Timer, run, &new.info.id), deadline)?;
        }
        if new.info.detached {
            state.detached_open += 1;
        }
        Ok(())
    }

    /// Opens the question of a task.
    pub(super) fn ask(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        job: &JobId,
        question: &str,
        expires_at: Option<baton_common::Timestamp>,
    ) -> Outcome<()> {
        let id = InterruptId::of(job, 0);
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
        self.task_event(job, state, EventKind::Asked, 0, &id.to_string())
    }

    /// Lets the next held task of an open group go, and tells which it was.
    pub(super) fn release_next(
        &mut self,
        job: &JobId,
        group: &mut Group,
    ) -> Outcome<Option<baton_common::transition::Publishable>> {
        let index = group.state.next_held;
        if index >= group.info.count || group.info.kind != TaskKind::Job {
            return Ok(None);
        }
        group.state.next_held += 1;
        let Some(mut task) = self.rows.task(job.run, &group.info.id, index)? else { return Ok(None) };
        task.state = TaskState::Publishable { not_before: self.now };
        task.dispatch_seq = task.dispatch_seq.next();
        group.state.publishable += 1;
        self.rows.put_task(job.run, &group.info.id, index, &task)?;
        let next = JobId { index, ..job.clone() };
        let entry = DueKey::task(DueKind::Publish, &next);
        self.rows.put_due(&entry, self.now.plus_ms(self.timings.publish_after_ms))?;
        Ok(Some(baton_common::transition::Publishable { job: next, seq: task.dispatch_seq }))
    }

    fn opened_event(&mut self, info: &RunInfo, state: &mut RunState, group: &GroupInfo) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(&Event {
            run: info.id,
            seq: state.events,
            at: self.now,
            kind: EventKind::Opened,
            group: group.id.to_string(),
            index: None,
            number: u64::from(group.count),
            text: group.tool.clone(),
        })
    }
}
