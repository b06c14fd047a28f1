//! RECORD of a job that asks or waits: it gives its worker back and goes on later, under
//! another digest, with what it wanted back.

use baton_common::JobId;
use baton_common::records::{DueKey, DueKind, EventKind, Group, RunInfo, RunState, Task, TaskState};
use baton_common::transition::{Publishable, RecordVerdict, Recorded, Tail};

use super::{Machine, Outcome, bodies};

impl Machine<'_> {
    /// Parks a claimed job. Its question is that of the phase which ends with it.
    pub(super) fn pause(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
        outcome: &Recorded,
    ) -> Outcome<RecordVerdict> {
        self.clear_wakes(info, state, group, job, task)?;
        let ordinal = task.phase;
        task.phase += 1;
        task.digest = task.digest.next_phase();
        (task.app_attempts, task.infra_attempts, task.trouble) = (0, 0, None);
        task.state = TaskState::Parked;
        self.rows.put_task(job.run, &job.group, job.index, task)?;
        self.rows.put_group_state(job.run, &job.group, &group.state)?;
        self.task_event(job, state, EventKind::Waits, task.fence.0, "job")?;
        let mut interrupt = None;
        match outcome {
            Recorded::Ask { question, continuation, expires_ms } => {
                let body = bodies::continued(continuation.as_deref());
                self.rows.put_continued(job.run, &job.group, job.index, &body)?;
                let expires_at = expires_ms.map(|ms| self.now.plus_ms(ms));
                interrupt = Some(self.ask(info, state, job, ordinal, question, expires_at)?);
            }
            Recorded::Wait { after_ms, continuation } => {
                let body = continuation.clone().unwrap_or_else(|| bodies::continued(None));
                self.rows.put_continued(job.run, &job.group, job.index, &body)?;
                let until = self.now.plus_ms(*after_ms);
                let terms = self.rows.terms(job.run, &job.group, job.index)?.unwrap_or_default();
                let terms = baton_common::records::Terms { until: Some(until), ..terms };
                self.rows.put_terms(job.run, &job.group, job.index, &terms)?;
                self.rows.put_due(&DueKey::task(DueKind::Timer, job), until)?;
            }
            Recorded::Ok(_) | Recorded::Error { .. } | Recorded::Returned | Recorded::Later { .. } => {}
        }
        self.rows.put_run_state(job.run, state)?;
        Ok(RecordVerdict::Parked { interrupt })
    }

    /// Lets a parked job go on: it is published again.
    pub(super) fn go_on(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        task: &mut Task,
    ) -> Outcome<Tail> {
        self.requeue(info, state, group, job, task, self.now)?;
        let entry = DueKey::task(DueKind::Publish, job);
        self.rows.put_due(&entry, self.now.plus_ms(self.timings.publish_after_ms))?;
        self.rows.put_run_state(job.run, state)?;
        let released = vec![Publishable { job: job.clone(), seq: task.dispatch_seq }];
        Ok(Tail { released, ..Tail::default() })
    }
}
