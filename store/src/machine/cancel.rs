//! CANCEL: what has not started ends at once, claimed work learns of it at its renewal,
//! and only a terminal advance is left.

use baton_common::Version;
use baton_common::ids::Actor;
use baton_common::records::{Audit, RunInfo, RunStatus};
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
        if state.status == RunStatus::Cancelling || state.undoing {
            return Ok(CancelAnswer::Already);
        }
        let before = state.ver;
        self.begin_cancel(&info, &mut state)?;
        self.note_cancel(&info, &op.actor, &op.operation, before, state.ver)?;
        Ok(CancelAnswer::Cancelling)
    }

    /// Tells the audit of a cancel.
    pub(super) fn note_cancel(
        &mut self,
        info: &RunInfo,
        actor: &Actor,
        operation: &str,
        before: Version,
        after: Version,
    ) -> Outcome<()> {
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: actor.clone(),
            operation: "cancel".to_owned(),
            run: info.id,
            subject: operation.to_owned(),
            before,
            after,
            verdict: "cancelling".to_owned(),
            number: 0,
            prior: String::new(),
        })
    }
}
