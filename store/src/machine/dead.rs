//! DEAD: an operator puts a job that nobody holds to work again, or ends it.

use baton_common::records::{Audit, EventKind, Group, RunInfo, RunState, Task, TaskState};
use baton_common::transition::{Dead, DeadAnswer, Tail};

use super::tail::Ending;
use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn dead(&mut self, op: &Dead) -> Outcome<DeadAnswer> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(DeadAnswer::Unknown);
        };
        let group = self.group(job.run, &job.group)?;
        let task = self.rows.task(job.run, &job.group, job.index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else { return Ok(DeadAnswer::Unknown) };
        if job.r#gen != state.r#gen {
            return Ok(DeadAnswer::Unknown);
        }
        if state.status.is_terminal() && !group.info.detached {
            return self.forget_failure(op, &info, &state, group, task);
        }
        let waits = matches!(task.state, TaskState::Publishable { .. } | TaskState::Dispatched { .. });
        let refused = !waits || task.is_over(&group) || super::stopped(&state, &group);
        if refused || task.dispatch_seq != op.seen {
            return Ok(DeadAnswer::Refused);
        }
        self.note_dead(op, &info, &state)?;
        if let Some(outcome) = &op.drop {
            let tail = self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Failed(outcome))?;
            return Ok(DeadAnswer::Done(tail));
        }
        task.infra_attempts = 0;
        self.requeue(&info, &mut state, &mut group, job, &mut task, self.now)?;
        self.task_event(job, &mut state, EventKind::Recorded, task.fence.0, "redriven")?;
        self.rows.put_run_state(job.run, &state)?;
        Ok(DeadAnswer::Done(Tail::default()))
    }

    /// Of a run that is over: a failed job counts as cancelled from now on. A retry of the run
    /// takes it up again all the same.
    fn forget_failure(
        &mut self,
        op: &Dead,
        info: &RunInfo,
        state: &RunState,
        mut group: Group,
        mut task: Task,
    ) -> Outcome<DeadAnswer> {
        if op.drop.is_none() || task.state != TaskState::Failed || task.dispatch_seq != op.seen {
            return Ok(DeadAnswer::Refused);
        }
        self.note_dead(op, info, state)?;
        task.state = TaskState::Cancelled;
        group.state.failed = group.state.failed.saturating_sub(1);
        group.state.cancelled += 1;
        self.rows.put_task(op.job.run, &op.job.group, op.job.index, &task)?;
        self.rows.put_group_state(op.job.run, &op.job.group, &group.state)?;
        Ok(DeadAnswer::Done(Tail::default()))
    }

    fn note_dead(&mut self, op: &Dead, info: &RunInfo, state: &RunState) -> Outcome<()> {
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: op.name().to_owned(),
            run: op.job.run,
            subject: op.subject(),
            before: state.ver,
            after: state.ver,
            verdict: "done".to_owned(),
            number: 0,
            prior: String::new(),
        })
    }
}
