//! Stopping a run's groups: what has not started is cancelled, what is at work is waited for.
//! CANCEL stops them all, a commit that turns to compensations all but those; FORCE waits no
//! longer.

use baton_common::RunId;
use baton_common::ids::GroupId;
use baton_common::records::{DueKey, DueKind, EventKind, Group, GroupPhase, RunInfo, RunState, RunStatus};

use super::{Machine, Outcome};

/// Whether nothing of a group starts any more: its run is cancelled, or turned to its
/// compensations after the group was opened.
pub(super) fn stopped(state: &RunState, group: &Group) -> bool {
    !group.info.detached && (state.status == RunStatus::Cancelling || group.state.phase == GroupPhase::Stopping)
}

impl Machine<'_> {
    /// Begins the cancel of a run. Writes its state.
    pub(super) fn begin_cancel(&mut self, info: &RunInfo, state: &mut RunState) -> Outcome<()> {
        if state.status == RunStatus::Stuck {
            self.rows.delete_parked(info.id)?;
        }
        state.status = RunStatus::Cancelling;
        state.ver = state.ver.next();
        state.ready_at = self.now;
        self.run_event(info.id, state, EventKind::Cancelling, 0, "")?;
        let left = self.stop_groups(info, state, &[])?;
        let ready = DueKey::run(DueKind::Ready, info.id);
        if left > 0 {
            self.rows.delete_due(&ready)?;
        } else {
            self.rows.put_due(&ready, self.now)?;
        }
        let by_force = self.now.plus_ms(self.timings.cancel_after_ms);
        self.rows.put_due(&DueKey::run(DueKind::Cancel, info.id), by_force)?;
        self.rows.put_run_state(info.id, state)
    }

    /// Turns a run to its compensations: everything but these and what the commit opens stops.
    pub(super) fn begin_undoing(&mut self, info: &RunInfo, state: &mut RunState, opened: &[GroupId]) -> Outcome<()> {
        state.status = RunStatus::Undoing;
        state.undoing = true;
        let left = self.stop_groups(info, state, opened)?;
        let entry = DueKey::run(DueKind::Cancel, info.id);
        if left > 0 {
            self.rows.put_due(&entry, self.now.plus_ms(self.timings.cancel_after_ms))?;
        } else {
            self.rows.delete_due(&entry)?;
        }
        self.run_event(info.id, state, EventKind::Undoing, u64::from(left), "")
    }

    /// Stops the open groups of a run; how many have something at work.
    fn stop_groups(&mut self, info: &RunInfo, state: &mut RunState, but: &[GroupId]) -> Outcome<u32> {
        let mut left = 0;
        for mut group in self.groups(info.id)? {
            if group.info.detached || group.info.undo || but.contains(&group.info.id) {
                continue;
            }
            if group.state.phase == GroupPhase::Open {
                let job = self.first_job(info, state, &group);
                self.cancel_rest(info, state, &mut group, &job, false)?;
                self.drop_group_due(&job, &group)?;
                group.state.phase = GroupPhase::Stopping;
                if group.state.at_work == 0 {
                    self.write_closed(state, &mut group, &job, "cancelled")?;
                }
                self.rows.put_group_state(info.id, &group.info.id, &group.state)?;
            }
            left += u32::from(group.state.phase == GroupPhase::Stopping);
        }
        Ok(left)
    }

    /// Makes a run that is being cancelled ready once nothing of it is at work.
    pub(super) fn hasten_cancel(&mut self, info: &RunInfo) -> Outcome<()> {
        let groups = self.groups(info.id)?;
        let mut waited = groups.iter().filter(|group| !group.info.detached && group.state.phase != GroupPhase::Closed);
        if waited.any(|group| group.state.at_work > 0) {
            return Ok(());
        }
        self.rows.put_due(&DueKey::run(DueKind::Ready, info.id), self.now)
    }

    pub(super) fn force(&mut self, run: RunId) -> Outcome<bool> {
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            return Ok(false);
        };
        if !matches!(state.status, RunStatus::Cancelling | RunStatus::Undoing) {
            return Ok(false);
        }
        let mut forced = false;
        for mut group in self.groups(run)? {
            if !stopped(&state, &group) || group.state.phase == GroupPhase::Closed {
                continue;
            }
            let job = self.first_job(&info, &state, &group);
            self.cancel_rest(&info, &mut state, &mut group, &job, true)?;
            self.write_closed(&mut state, &mut group, &job, "cancelled")?;
            self.rows.put_group_state(run, &group.info.id, &group.state)?;
            forced = true;
        }
        self.rows.delete_due(&DueKey::run(DueKind::Cancel, run))?;
        if forced || state.status == RunStatus::Cancelling {
            state.ready_at = self.now;
            self.rows.put_due(&DueKey::run(DueKind::Ready, run), self.now)?;
        }
        self.rows.put_run_state(run, &state)?;
        Ok(forced || state.status == RunStatus::Cancelling)
    }
}
