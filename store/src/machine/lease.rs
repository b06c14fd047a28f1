//! RENEW: prolongs leases, and is how claimed work learns that it is no longer wanted.

use baton_common::job::RenewAnswer;
use baton_common::records::{DueKey, DueKind, RunStatus, TaskState};
use baton_common::transition::Renew;
use baton_common::{Fence, JobId};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn renew(&mut self, op: &Renew) -> Outcome<Vec<RenewAnswer>> {
        op.leases.iter().map(|(job, fence)| self.renew_one(op, job, *fence)).collect()
    }

    fn renew_one(&mut self, op: &Renew, job: &JobId, fence: Fence) -> Outcome<RenewAnswer> {
        let Some(state) = self.rows.run_state(job.run)? else { return Ok(RenewAnswer::Lost) };
        let group = self.group(job.run, &job.group)?;
        let detached = group.as_ref().is_some_and(|group| group.info.detached);
        if !detached && (state.status.is_terminal() || state.status == RunStatus::Cancelling) {
            return Ok(RenewAnswer::Cancel);
        }
        let Some(group) = group.filter(|_| job.r#gen == state.r#gen) else { return Ok(RenewAnswer::Lost) };
        if super::stopped(&state, &group) {
            return Ok(RenewAnswer::Cancel);
        }
        let Some(task) = self.rows.task(job.run, &job.group, job.index)? else { return Ok(RenewAnswer::Lost) };
        let mut task = task.seen_in(&group);
        let TaskState::Claimed { worker, request, .. } = task.state else {
            let cancelled = task.state == TaskState::Cancelled;
            return Ok(if cancelled { RenewAnswer::Cancel } else { RenewAnswer::Lost });
        };
        if task.fence != fence || worker != op.worker {
            return Ok(RenewAnswer::Lost);
        }
        let lease_until = self.now.plus_ms(op.lease_ms);
        task.state = TaskState::Claimed { lease_until, worker, request };
        self.rows.put_task(job.run, &job.group, job.index, &task)?;
        self.rows.put_due(&DueKey::task(DueKind::Lease, job), lease_until)?;
        Ok(RenewAnswer::Held(lease_until))
    }
}
