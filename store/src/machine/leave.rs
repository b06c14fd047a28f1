//! What a group that is not open any more leaves behind: questions, times and runs of its
//! tasks, which are stopped a share at a time. A group that is gone before that is done keeps
//! its row so long, and its deadline's entry goes on with it.
//!
//! Groups of jobs leave nothing: few of their tasks have something of their own.

use baton_common::records::{DueKey, DueKind, Group, GroupPhase, RunInfo, RunState, TaskKind, TaskState};
use baton_common::transition::{FireAnswer, Tail};
use baton_common::{GroupId, JobId};

use super::{Machine, Outcome};

impl Machine<'_> {
    /// Stops as many of a group's tasks as the share lets, from `left_from` on.
    pub(super) fn stop_left(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        group: &mut Group,
        job: &JobId,
    ) -> Outcome<()> {
        let until = group.state.left_until.min(group.state.left_from.saturating_add(self.share));
        self.share -= until - group.state.left_from;
        for index in group.state.left_from..until {
            let Some(task) = self.rows.task(job.run, &group.info.id, index)? else { continue };
            if task.state != TaskState::Parked {
                continue;
            }
            let each = JobId { index, group: group.info.id.clone(), ..job.clone() };
            if group.info.kind == TaskKind::Child {
                self.cancel_child(&each)?;
            } else {
                self.clear_wakes(info, state, group, &each, &task)?;
            }
        }
        group.state.left_from = until;
        if !group.state.has_left() {
            (group.state.left_from, group.state.left_until) = (0, 0);
        }
        Ok(())
    }

    /// Removes a group, at once or once nothing is left of it.
    pub(super) fn remove_group(&mut self, state: &RunState, mut group: Group, job: &JobId) -> Outcome<()> {
        if state.leaving == 0 || !group.state.has_left() {
            return self.rows.delete_group(job.run, &group.info.id);
        }
        group.state.phase = GroupPhase::Dropped;
        self.rows.put_group_state(job.run, &group.info.id, &group.state)
    }

    /// Goes on with what is left of a group.
    pub(super) fn fire_left(
        &mut self,
        info: &RunInfo,
        mut state: RunState,
        mut group: Group,
        job: &JobId,
    ) -> Outcome<FireAnswer> {
        self.stop_left(info, &mut state, &mut group, job)?;
        let entry = DueKey::group(DueKind::Timer, info.id, &group.info.id);
        if group.state.has_left() {
            self.rows.put_due(&entry, self.now)?;
        } else {
            self.rows.delete_due(&entry)?;
            state.leaving = state.leaving.saturating_sub(1);
        }
        if group.state.phase == GroupPhase::Dropped && !group.state.has_left() {
            self.rows.delete_group(info.id, &group.info.id)?;
        } else {
            self.rows.put_group_state(info.id, &group.info.id, &group.state)?;
        }
        self.rows.put_run_state(info.id, &state)?;
        Ok(FireAnswer::Fired(Tail::default()))
    }

    /// Stops all that is left of a run's groups, for a retry.
    pub(super) fn stop_all_left(&mut self, info: &RunInfo, state: &mut RunState) -> Outcome<()> {
        if state.leaving == 0 {
            return Ok(());
        }
        for mut group in self.rows.groups(info.id)? {
            if !group.state.has_left() {
                continue;
            }
            self.stop_whole(info, state, &mut group)?;
        }
        Ok(())
    }

    /// Makes room for a group. One of its name may be gone, with something left; and a detached
    /// one that outlived a retry from before its opening is done again in its place.
    pub(super) fn make_room(&mut self, info: &RunInfo, state: &mut RunState, id: &GroupId) -> Outcome<()> {
        if state.leaving == 0 && (state.r#gen.0 == 0 || state.detached_open == 0) {
            return Ok(());
        }
        let Some(mut group) = self.rows.group(info.id, id)? else { return Ok(()) };
        if group.state.has_left() {
            return self.stop_whole(info, state, &mut group);
        }
        if group.info.detached {
            let job = self.first_job(info, state, &group);
            self.cancel_rest(info, state, &mut group, &job, true)?;
            self.drop_group_due(&job, &group)?;
            state.detached_open = state.detached_open.saturating_sub(1);
            return self.rows.delete_group(info.id, id);
        }
        Ok(())
    }

    /// Stops all that is left of one group.
    fn stop_whole(&mut self, info: &RunInfo, state: &mut RunState, group: &mut Group) -> Outcome<()> {
        let job = self.first_job(info, state, group);
        self.share = self.share.max(group.state.left_until);
        self.stop_left(info, state, group, &job)?;
        state.leaving = state.leaving.saturating_sub(1);
        self.rows.delete_due(&DueKey::group(DueKind::Timer, info.id, &group.info.id))?;
        if group.state.phase == GroupPhase::Dropped {
            return self.rows.delete_group(info.id, &group.info.id);
        }
        self.rows.put_group_state(info.id, &group.info.id, &group.state)
    }
}
