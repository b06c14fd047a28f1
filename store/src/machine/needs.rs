//! Indexes that need one another: what the end of one means for those that need it, at a
//! cost of their number.

use std::collections::VecDeque;

use baton_common::JobId;
use baton_common::records::{Group, RunInfo, RunState, TaskState};

use super::tail::Ending;
use super::{Machine, Outcome, bodies};

impl Machine<'_> {
    /// After the end of an index: those it was the last need of may go; after anything but a
    /// success those that need it, and those that need them, fail.
    pub(super) fn settle_needs(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        succeeded: bool,
    ) -> Outcome<()> {
        let body = bodies::dependency_failed();
        let mut ended = VecDeque::from([(job.index, succeeded)]);
        while let Some((index, succeeded)) = ended.pop_front() {
            let Some(terms) = self.rows.terms(job.run, &job.group, index)? else { continue };
            for dependent in terms.needed_by {
                let Some(mut task) = self.rows.task(job.run, &job.group, dependent)? else { continue };
                if task.state != TaskState::Held {
                    continue;
                }
                if succeeded {
                    self.need_met(job, dependent)?;
                    continue;
                }
                let each = JobId { index: dependent, ..job.clone() };
                self.end_task(info, state, group, &each, &mut task, Ending::Failed(&body))?;
                group.state.next_held += 1;
                ended.push_back((dependent, false));
            }
        }
        Ok(())
    }

    fn need_met(&mut self, job: &JobId, dependent: u32) -> Outcome<()> {
        let Some(mut terms) = self.rows.terms(job.run, &job.group, dependent)? else { return Ok(()) };
        terms.needs = terms.needs.saturating_sub(1);
        if terms.needs == 0 {
            self.rows.put_waiting(job.run, &job.group, dependent)?;
        }
        self.rows.put_terms(job.run, &job.group, dependent, &terms)
    }
}
