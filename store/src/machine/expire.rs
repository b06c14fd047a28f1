//! EXPIRE: the end of a lease that nobody renewed.

use baton_common::records::{DueKey, DueKind, EventKind, TaskState};
use baton_common::tool::Effect;
use baton_common::transition::{Expire, ExpireAnswer, Tail};

use super::tail::Ending;
use super::{Machine, Outcome, bodies};

impl Machine<'_> {
    pub(super) fn expire(&mut self, op: &Expire) -> Outcome<ExpireAnswer> {
        let job = &op.job;
        let entry = DueKey::task(DueKind::Lease, job);
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            self.rows.delete_due(&entry)?;
            return Ok(ExpireAnswer::Kept);
        };
        let group = self.group(job.run, &job.group)?;
        let task = self.rows.task(job.run, &job.group, job.index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else {
            self.rows.delete_due(&entry)?;
            return Ok(ExpireAnswer::Kept);
        };
        let TaskState::Claimed { lease_until, .. } = task.clone().seen_in(&group).state else {
            self.rows.delete_due(&entry)?;
            return Ok(ExpireAnswer::Kept);
        };
        if lease_until > self.now {
            self.rows.put_due(&entry, lease_until)?;
            return Ok(ExpireAnswer::Kept);
        }
        if super::stopped(&state, &group) {
            let tail = self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Cancelled(None))?;
            return Ok(ExpireAnswer::Ended(tail));
        }
        if group.info.effect == Effect::Once {
            let id = self.lose_outcome(&info, &mut state, &mut group, job, &mut task)?;
            self.rows.put_run_state(job.run, &state)?;
            return Ok(ExpireAnswer::OutcomeUnknown(id));
        }
        task.infra_attempts += 1;
        if task.infra_attempts >= self.timings.infra_attempts_max {
            let body = bodies::poison(self.timings.infra_attempts_max);
            let tail: Tail = self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Failed(&body))?;
            return Ok(ExpireAnswer::Ended(tail));
        }
        task.trouble = Some(bodies::worker_lost());
        let pause = self.timings.infra_backoff_ms << (task.infra_attempts - 1).min(10);
        let at = self.now.plus_ms(pause);
        self.requeue(&info, &mut state, &mut group, job, &mut task, at)?;
        self.task_event(job, &mut state, EventKind::LeaseExpired, task.fence.0, "again")?;
        self.rows.put_run_state(job.run, &state)?;
        Ok(ExpireAnswer::Again { at })
    }
}
