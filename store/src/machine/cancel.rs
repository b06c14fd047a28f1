//! CANCEL: what has not started ends at once, claimed work learns of it at its renewal,
//! and only a terminal advance is left.

use baton_common::records::{Audit, DueKey, DueKind, EventKind, GroupPhase, RunStatus};
use baton_common::transition::{Cancel, CancelAnswer};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn cancel(&mut self, op: &Cancel) -> Outcome<CancelAnswer> {
        let run = op.run;
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            return Ok(CancelAnswer::Unknown);
        };
        if state.status.is_terminal() {
            return Ok(CancelAnswer::Terminal);
        }
        if state.status == RunStatus::Cancelling {
            return Ok(CancelAnswer::Already);
        }
        let before = state.ver;
        if state.status == RunStatus::Stuck {
            self.rows.delete_parked(run)?;
        }
        state.status = RunStatus::Cancelling;
        state.ver = state.ver.next();
        state.ready_at = self.now;
        self.run_event(run, &mut state, EventKind::Cancelling, 0, "")?;
        let mut claimed_left = false;
        for mut group in self.rows.groups(run)? {
            if group.info.detached || group.state.phase == GroupPhase::Closed {
                continue;
            }
            let job = self.first_job(&info, &state, &group);
            claimed_left |= self.cancel_open_tasks(&info, &mut state, &mut group, &job, false)?;
            self.drop_group_due(&job, &group)?;
            self.rows.put_group_state(run, &group.info.id, &group.state)?;
        }
        let ready = DueKey::run(DueKind::Ready, run);
        if claimed_left {
            self.rows.delete_due(&ready)?;
        } else {
            self.rows.put_due(&ready, self.now)?;
        }
        let by_force = self.now.plus_ms(self.timings.cancel_after_ms);
        self.rows.put_due(&DueKey::run(DueKind::Cancel, run), by_force)?;
        self.rows.put_run_state(run, &state)?;
        self.rows.append_audit(&Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "cancel".to_owned(),
            run,
            subject: String::new(),
            before,
            after: state.ver,
            verdict: "cancelling".to_owned(),
        })?;
        Ok(CancelAnswer::Cancelling)
    }
}
