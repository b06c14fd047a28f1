//! RECORD: an attempt's outcome. The first success wins, whoever holds the lease by then;
//! a failure counts only from the attempt that holds the job.

use baton_common::ids::DispatchSeq;
use baton_common::records::{DueKey, DueKind, EventKind, Group, Policy, RunInfo, RunState, Task, TaskState, trouble};
use baton_common::tool::Effect;
use baton_common::transition::{Record, RecordVerdict, Recorded};
use baton_common::{ErrorClass, JobId, Timestamp};

use super::tail::Ending;
use super::{Guard, Machine, Outcome};

impl Machine<'_> {
    pub(super) fn record(&mut self, op: &Record) -> Outcome<RecordVerdict> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(RecordVerdict::Unknown);
        };
        let group = self.group(job.run, &job.group)?;
        let detached = group.as_ref().is_some_and(|group| group.info.detached);
        if state.status.is_terminal() && !detached {
            return Ok(RecordVerdict::RunTerminal);
        }
        let Some(mut group) = group else { return Ok(RecordVerdict::Unknown) };
        let Some(mut task) = self.rows.task(job.run, &job.group, job.index)? else {
            return Ok(RecordVerdict::Unknown);
        };
        if self.guards.hold(Guard::Digest) && (job.r#gen != state.r#gen || op.digest != task.digest) {
            return Ok(RecordVerdict::Stale);
        }
        if task.is_over(&group) && self.guards.hold(Guard::Dedup) {
            return Ok(RecordVerdict::Duplicate);
        }
        let claimed = matches!(task.state, TaskState::Claimed { .. });
        let held = claimed || task.state == TaskState::OutcomeUnknown;
        let current = held && op.fence == task.fence;
        let stopped = super::stopped(&state, &group);
        match &op.outcome {
            // What is held was granted to nobody in this generation.
            Recorded::Ok(_) if op.fence.0 == 0 || op.fence > task.fence || task.state == TaskState::Held => {
                Ok(RecordVerdict::StaleFence)
            }
            Recorded::Ok(body) => {
                self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Done(body)).map(RecordVerdict::Ok)
            }
            Recorded::Ask { .. } | Recorded::Wait { .. } | Recorded::Returned | Recorded::Later { .. }
                if !current || !claimed =>
            {
                Ok(RecordVerdict::StaleFence)
            }
            Recorded::Ask { .. } | Recorded::Wait { .. } | Recorded::Returned | Recorded::Later { .. } if stopped => {
                self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Cancelled(None))
                    .map(RecordVerdict::Ok)
            }
            Recorded::Ask { .. } | Recorded::Wait { .. } => {
                self.pause(&info, &mut state, &mut group, job, &mut task, &op.outcome)
            }
            Recorded::Returned => self.give_back(&info, &mut state, &mut group, job, &mut task),
            Recorded::Later { at, why } => {
                let at = (*at).max(self.now);
                self.requeue(&info, &mut state, &mut group, job, &mut task, at)?;
                self.task_event(job, &mut state, EventKind::Recorded, task.fence.0, why.clone())?;
                self.rows.put_run_state(job.run, &state)?;
                Ok(RecordVerdict::Retry { at })
            }
            Recorded::Error { .. } if !current && self.guards.hold(Guard::Fence) => Ok(RecordVerdict::StaleFence),
            Recorded::Error { body, .. } if stopped => self
                .finish(&info, &mut state, &mut group, job, &mut task, Ending::Cancelled(Some(body)))
                .map(RecordVerdict::Ok),
            Recorded::Error { class, code, retry_after_ms, body } => {
                let again =
                    may_retry(&group.info.policy, *class, code, task.app_attempts) && group.info.effect != Effect::Once;
                if again {
                    task.trouble = Some(trouble(*class, code));
                    let at = self.try_again(&info, &mut state, &mut group, job, &mut task, *retry_after_ms)?;
                    return Ok(RecordVerdict::Retry { at });
                }
                task.app_attempts += 1;
                self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Failed(body)).map(RecordVerdict::Ok)
            }
        }
    }

    /// Makes the job publishable again behind its backoff.
    fn try_again(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        retry_after_ms: Option<u64>,
    ) -> Outcome<Timestamp> {
        task.app_attempts += 1;
        let at = retry_at(self.now, &group.info.policy, job, task.app_attempts, retry_after_ms);
        self.requeue(info, state, group, job, task, at)?;
        self.task_event(job, state, EventKind::Recorded, task.fence.0, "retry")?;
        self.rows.put_run_state(job.run, state)?;
        Ok(at)
    }

    /// Hands a job out again that its worker gives back.
    fn give_back(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
    ) -> Outcome<RecordVerdict> {
        if group.info.effect == Effect::Once {
            let id = self.lose_outcome(info, state, group, job, task)?;
            self.rows.put_run_state(job.run, state)?;
            return Ok(RecordVerdict::Parked { interrupt: Some(id) });
        }
        self.requeue(info, state, group, job, task, self.now)?;
        self.task_event(job, state, EventKind::Recorded, task.fence.0, "returned")?;
        self.rows.put_run_state(job.run, state)?;
        Ok(RecordVerdict::Retry { at: self.now })
    }

    /// Makes a task publishable again, not before `at`, under a new publication.
    pub(super) fn requeue(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        at: Timestamp,
    ) -> Outcome<()> {
        self.clear_wakes(info, state, group, job, task)?;
        task.state = TaskState::Publishable { not_before: at };
        task.dispatch_seq = DispatchSeq(task.dispatch_seq.0 + 1);
        group.state.publishable += 1;
        self.rows.put_task(job.run, &job.group, job.index, task)?;
        self.rows.put_group_state(job.run, &job.group, &group.state)?;
        self.rows.put_due(&DueKey::task(DueKind::Publish, job), at)
    }
}

/// Whether a failure of that class and code is tried again after `app_attempts` earlier ones.
fn may_retry(policy: &Policy, class: ErrorClass, code: &str, app_attempts: u32) -> bool {
    let wanted = (class.retryable() && policy.retry_on.contains(&class))
        || policy.retry_codes.iter().any(|wanted| wanted == code);
    wanted && class != ErrorClass::Cancelled && app_attempts + 1 < policy.attempts_max
}

/// When the attempt after `app_attempts` failures may start: exponential backoff between
/// half and the whole of its step, by a jitter that the job's id decides, and never before
/// the other side's wish.
#[must_use]
pub fn retry_at(
    now: Timestamp,
    policy: &Policy,
    job: &JobId,
    app_attempts: u32,
    retry_after_ms: Option<u64>,
) -> Timestamp {
    let doublings = app_attempts.saturating_sub(1).min(20);
    let step = policy.backoff_min_ms.saturating_mul(1 << doublings).min(policy.backoff_max_ms);
    let jitter = u64::from(job.digest().jitter());
    let pause = step / 2 + (step - step / 2) * jitter / 65_536;
    now.plus_ms(pause.max(retry_after_ms.unwrap_or(0)))
}
