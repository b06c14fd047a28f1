//! CLAIM: hands a job to a worker, with a fence that never falls.

use baton_common::JobId;
use baton_common::ids::InterruptId;
use baton_common::records::{Body, DueKey, DueKind, EventKind, Group, RunInfo, RunState, RunStatus, Task, TaskState};
use baton_common::tool::Effect;
use baton_common::transition::{Claim, ClaimVerdict, Granted};

use super::tail::Ending;
use super::{Guard, Machine, Outcome, bodies};

impl Machine<'_> {
    pub(super) fn claim(&mut self, op: &Claim) -> Outcome<ClaimVerdict> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(ClaimVerdict::Unknown);
        };
        let group = self.group(job.run, &job.group)?;
        let detached = group.as_ref().is_some_and(|group| group.info.detached);
        if !detached && !matches!(state.status, RunStatus::Running | RunStatus::Undoing | RunStatus::Stuck) {
            return Ok(ClaimVerdict::RunTerminal);
        }
        let Some(mut group) = group else { return Ok(ClaimVerdict::Unknown) };
        if super::stopped(&state, &group) {
            return Ok(ClaimVerdict::RunTerminal);
        }
        let Some(mut task) = self.rows.task(job.run, &job.group, job.index)? else {
            return Ok(ClaimVerdict::Unknown);
        };
        if self.guards.hold(Guard::Digest) && (job.r#gen != state.r#gen || op.digest != task.digest) {
            return Ok(ClaimVerdict::Stale);
        }
        match task.state {
            _ if task.is_over(&group) => return Ok(ClaimVerdict::Done),
            TaskState::Claimed { lease_until, request, .. } if lease_until > self.now => {
                let same = request == op.request;
                return if same { self.grant_again(op, group, &task, lease_until) } else { Ok(ClaimVerdict::Busy) };
            }
            TaskState::Claimed { .. } if group.info.effect == Effect::Once => {
                self.lose_outcome(&info, &mut state, &mut group, job, &mut task)?;
                self.rows.put_run_state(job.run, &state)?;
                return Ok(ClaimVerdict::OutcomeUnknown);
            }
            TaskState::Claimed { .. } => {
                task.infra_attempts += 1;
                if task.infra_attempts >= self.timings.infra_attempts_max {
                    let body = bodies::poison(self.timings.infra_attempts_max);
                    let tail = self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Failed(&body))?;
                    return Ok(ClaimVerdict::Poison(Box::new(tail)));
                }
                task.trouble = Some(bodies::worker_lost());
            }
            TaskState::Publishable { not_before } if not_before > self.now => return Ok(ClaimVerdict::Busy),
            TaskState::Held | TaskState::Parked => return Ok(ClaimVerdict::Busy),
            TaskState::OutcomeUnknown => return Ok(ClaimVerdict::OutcomeUnknown),
            _ => {}
        }
        self.grant(op, &info, &mut state, group, task)
    }

    fn grant(
        &mut self,
        op: &Claim,
        info: &RunInfo,
        state: &mut RunState,
        mut group: Group,
        mut task: Task,
    ) -> Outcome<ClaimVerdict> {
        let job = &op.job;
        let Some(body) = self.rows.input(job.run, &job.group, job.index)? else {
            return Ok(ClaimVerdict::Unknown);
        };
        let continued = self.continuation(job, &task)?;
        let lease_until = self.now.plus_ms(op.lease_ms);
        let was_publishable = matches!(task.state, TaskState::Publishable { .. });
        self.clear_wakes(info, state, &mut group, job, &task)?;
        group.state.at_work += 1;
        task.fence = task.fence.next();
        task.state = TaskState::Claimed { lease_until, worker: op.worker, request: op.request };
        self.rows.put_task(job.run, &job.group, job.index, &task)?;
        self.rows.put_group_state(job.run, &job.group, &group.state)?;
        if was_publishable && group.state.publishable == 0 {
            self.rows.delete_due(&DueKey::group(DueKind::Publish, job.run, &job.group))?;
        }
        self.rows.put_due(&DueKey::task(DueKind::Lease, job), lease_until)?;
        self.task_event(job, state, EventKind::Claimed, task.fence.0, op.worker.to_string())?;
        self.rows.put_run_state(job.run, state)?;
        Ok(granted(group, &task, lease_until, body, continued))
    }

    /// What a job goes on with, if it asked or waited before.
    fn continuation(&mut self, job: &JobId, task: &Task) -> Outcome<Option<Body>> {
        if task.phase == 0 {
            return Ok(None);
        }
        self.rows.continued(job.run, &job.group, job.index)
    }

    fn grant_again(
        &mut self,
        op: &Claim,
        group: Group,
        task: &Task,
        lease_until: baton_common::Timestamp,
    ) -> Outcome<ClaimVerdict> {
        let body = self.rows.input(op.job.run, &op.job.group, op.job.index)?;
        let continued = self.continuation(&op.job, task)?;
        Ok(body.map_or(ClaimVerdict::Unknown, |body| granted(group, task, lease_until, body, continued)))
    }

    /// A `once` job whose lease is over: it is never publishable again, and a person is asked.
    /// Writes task, group and question; the run's state is the caller's to write.
    pub(super) fn lose_outcome(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
    ) -> Outcome<InterruptId> {
        self.clear_wakes(info, state, group, job, task)?;
        task.state = TaskState::OutcomeUnknown;
        self.rows.put_task(job.run, &job.group, job.index, task)?;
        self.rows.put_group_state(job.run, &job.group, &group.state)?;
        self.task_event(job, state, EventKind::LeaseExpired, task.fence.0, "outcome_unknown")?;
        let question = bodies::outcome_unknown(&group.info.tool);
        self.ask(info, state, job, task.phase, &question, None)
    }
}

fn granted(
    group: Group,
    task: &Task,
    lease_until: baton_common::Timestamp,
    body: Body,
    continued: Option<Body>,
) -> ClaimVerdict {
    ClaimVerdict::Granted(Box::new(Granted {
        fence: task.fence,
        attempt: task.app_attempts + task.infra_attempts + 1,
        lease_until,
        group: group.info,
        body,
        continued,
    }))
}
