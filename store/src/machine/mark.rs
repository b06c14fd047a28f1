//! MARK: notes which publications the broker confirmed. REPUBLISH takes one back on
//! evidence that its message was lost; RECHECK closes a look at a group.

use baton_common::ids::RunId;
use baton_common::records::{DueKey, DueKind, GroupPhase, TaskState};
use baton_common::transition::{Mark, Republish};
use baton_common::{Gen, GroupId, JobId};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn mark(&mut self, op: &Mark) -> Outcome<bool> {
        let mut changed = false;
        for (id, index, seq) in &op.tasks {
            let Some(mut group) = self.group(op.run, id)? else { continue };
            let Some(mut task) = self.rows.task(op.run, id, *index)? else { continue };
            let publishable = matches!(task.state, TaskState::Publishable { .. }) && !task.is_over(&group);
            if !publishable || task.dispatch_seq != *seq {
                continue;
            }
            task.state = TaskState::Dispatched { at: self.now };
            group.state.publishable = group.state.publishable.saturating_sub(1);
            let job = JobId { run: op.run, r#gen: Gen(0), group: id.clone(), index: *index };
            self.rows.put_task(op.run, id, *index, &task)?;
            self.rows.put_group_state(op.run, id, &group.state)?;
            self.rows.delete_due(&DueKey::task(DueKind::Publish, &job))?;
            if group.state.publishable == 0 {
                self.rows.delete_due(&DueKey::group(DueKind::Publish, op.run, id))?;
            }
            let check = DueKey::group(DueKind::Check, op.run, id);
            if self.rows.due(&check)?.is_none() {
                self.rows.put_due(&check, self.now.plus_ms(self.timings.check_after_ms))?;
            }
            changed = true;
        }
        Ok(changed)
    }

    pub(super) fn republish(&mut self, op: &Republish) -> Outcome<bool> {
        let job = &op.job;
        let Some(mut group) = self.group(job.run, &job.group)? else { return Ok(false) };
        let Some(mut task) = self.rows.task(job.run, &job.group, job.index)? else { return Ok(false) };
        let dispatched = matches!(task.state, TaskState::Dispatched { .. }) && !task.is_over(&group);
        if !dispatched || task.dispatch_seq != op.seq {
            return Ok(false);
        }
        task.state = TaskState::Publishable { not_before: self.now };
        task.dispatch_seq = task.dispatch_seq.next();
        group.state.publishable += 1;
        self.rows.put_task(job.run, &job.group, job.index, &task)?;
        self.rows.put_group_state(job.run, &job.group, &group.state)?;
        self.rows.put_due(&DueKey::task(DueKind::Publish, job), self.now)?;
        Ok(true)
    }

    pub(super) fn recheck(&mut self, run: RunId, group: &GroupId, ms: u64) -> Outcome<bool> {
        let check = DueKey::group(DueKind::Check, run, group);
        let open = self.group(run, group)?.is_some_and(|group| group.state.phase == GroupPhase::Open);
        if open {
            self.rows.put_due(&check, self.now.plus_ms(ms))?;
        } else {
            self.rows.delete_due(&check)?;
        }
        Ok(open)
    }
}
