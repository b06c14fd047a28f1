//! SUBMIT: accepts a run, once per id.

use baton_common::Version;
use baton_common::records::{Audit, DueKey, DueKind, EventKind, RunState, RunStatus, Thread};
use baton_common::transition::{OnBusy, Submit, SubmitAnswer};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn submit(&mut self, op: &Submit) -> Outcome<SubmitAnswer> {
        let info = &op.info;
        if let Some(known) = self.rows.run_info(info.id)? {
            let same = known.body_digest == info.body_digest;
            return Ok(if same { SubmitAnswer::Exists } else { SubmitAnswer::Conflict });
        }
        let mut thread = self.rows.thread(&info.thread)?.unwrap_or_else(|| Thread::new(info.thread.clone()));
        let queued = thread.active.is_some();
        if queued && op.on_busy == OnBusy::Reject {
            return Ok(SubmitAnswer::Busy);
        }
        if queued {
            thread.queue.push(info.id);
        } else {
            thread.active = Some(info.id);
        }
        let status = if queued { RunStatus::Queued } else { RunStatus::Running };
        let mut state = RunState { base: thread.head, ..RunState::new(status, self.now) };
        self.run_event(info.id, &mut state, EventKind::Submitted, 0, status.name())?;
        self.rows.put_thread(&thread)?;
        self.rows.put_run_info(info)?;
        self.rows.put_run_state(info.id, &state)?;
        if !queued {
            self.rows.put_due(&DueKey::run(DueKind::Ready, info.id), self.now)?;
        }
        if let Some(deadline) = info.deadline {
            self.rows.put_due(&DueKey::run(DueKind::Timer, info.id), deadline)?;
        }
        self.rows.put_listed(&info.thread.tenant, self.now, info.id)?;
        self.rows.append_audit(&Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: info.actor.clone(),
            operation: "submit".to_owned(),
            run: info.id,
            subject: String::new(),
            before: Version(0),
            after: Version(1),
            verdict: status.name().to_owned(),
        })?;
        Ok(if queued { SubmitAnswer::Queued } else { SubmitAnswer::Accepted })
    }
}
