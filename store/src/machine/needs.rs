//! Indexes that need one another: what the end of one means for those that need it, at a
//! cost of their number, and a share at a time.

use std::collections::BTreeMap;

use baton_common::JobId;
use baton_common::records::{Group, RunInfo, RunState, TaskState};

use super::tail::Ending;
use super::{Machine, Outcome, bodies};

/// Indexes that ended, and how many of those that need each were followed to.
type Ended = BTreeMap<u32, u32>;

impl Machine<'_> {
    /// After the end of an index: those it was the last need of may go; after anything but a
    /// success those that need it, and those that need them, fail.
    pub(super) fn settle_needs(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
    ) -> Outcome<()> {
        if self.needed_by(job, job.index)?.is_empty() {
            return Ok(());
        }
        if group.state.settling {
            return self.rows.put_unsettled(job.run, &job.group, job.index, 0);
        }
        let mut ended = Ended::from([(job.index, 0)]);
        self.follow_needs(info, state, group, job, &mut ended)?;
        group.state.settling = !ended.is_empty();
        for (index, from) in ended {
            self.rows.put_unsettled(job.run, &job.group, index, from)?;
        }
        Ok(())
    }

    /// Goes on with what is left to be followed.
    pub(super) fn settle_left(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
    ) -> Outcome<()> {
        let known: Ended = self.rows.unsettled(job.run, &job.group, self.share)?.into_iter().collect();
        let mut ended = known.clone();
        self.follow_needs(info, state, group, job, &mut ended)?;
        for index in known.keys().filter(|index| !ended.contains_key(*index)) {
            self.rows.delete_unsettled(job.run, &job.group, *index)?;
        }
        for (index, from) in ended {
            self.rows.put_unsettled(job.run, &job.group, index, from)?;
        }
        group.state.settling = !self.rows.unsettled(job.run, &job.group, 1)?.is_empty();
        Ok(())
    }

    /// Follows the lowest of these ends first, as far as the share goes; what is left of them stays.
    fn follow_needs(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
        ended: &mut Ended,
    ) -> Outcome<()> {
        let body = bodies::dependency_failed();
        while let Some((index, from)) = ended.pop_first() {
            let succeeded = self.rows.task(job.run, &job.group, index)?.is_some_and(|it| it.state == TaskState::Done);
            for (place, dependent) in (0_u32..).zip(self.needed_by(job, index)?).skip(from as usize) {
                if self.share == 0 {
                    ended.insert(index, place);
                    return Ok(());
                }
                self.share -= 1;
                let Some(mut task) = self.rows.task(job.run, &job.group, dependent)? else { continue };
                if succeeded {
                    self.need_met(job, dependent, task.state == TaskState::Held)?;
                    continue;
                }
                if task.state != TaskState::Held {
                    continue;
                }
                let each = JobId { index: dependent, ..job.clone() };
                self.end_task(info, state, group, &each, &mut task, Ending::Failed(&body))?;
                group.state.next_held += 1;
                if !self.needed_by(job, dependent)?.is_empty() {
                    ended.insert(dependent, 0);
                }
            }
        }
        Ok(())
    }

    fn needed_by(&mut self, job: &JobId, index: u32) -> Outcome<Vec<u32>> {
        Ok(self.rows.terms(job.run, &job.group, index)?.map(|terms| terms.needed_by).unwrap_or_default())
    }

    fn need_met(&mut self, job: &JobId, dependent: u32, held: bool) -> Outcome<()> {
        let Some(mut terms) = self.rows.terms(job.run, &job.group, dependent)? else { return Ok(()) };
        terms.needs = terms.needs.saturating_sub(1);
        if terms.needs == 0 && held {
            self.rows.put_waiting(job.run, &job.group, dependent)?;
        }
        self.rows.put_terms(job.run, &job.group, dependent, &terms)
    }
}
