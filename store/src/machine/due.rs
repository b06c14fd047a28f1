//! The due index: taking what is due, and moving, parking or removing runs in it.

use baton_common::RunId;
use baton_common::ids::Actor;
use baton_common::records::{Audit, DueKey, DueKind, EventKind, RunState, RunStatus};
use baton_common::transition::{Due, DuePage, PopDue};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn pop_due(&mut self, op: &PopDue) -> Outcome<DuePage> {
        let hidden_until = self.now.plus_ms(op.hide_ms);
        let mut due = Vec::new();
        for key in self.rows.due_by(self.now, op.limit)? {
            let mut attempts = 0;
            if key.kind == DueKind::Ready {
                let Some(mut state) = self.rows.run_state(key.run)? else {
                    self.rows.delete_due(&key)?;
                    continue;
                };
                if !self.has_work(key.run, &state)? {
                    self.rows.delete_due(&key)?;
                    continue;
                }
                state.advance_attempts += 1;
                attempts = state.advance_attempts;
                self.rows.put_run_state(key.run, &state)?;
            }
            if key.kind == DueKind::Signal && self.rows.run_state(key.run)?.is_none_or(|state| state.awaiting == 0) {
                self.rows.delete_due(&key)?;
                continue;
            }
            self.rows.put_due(&key, hidden_until)?;
            due.push(Due { key, attempts });
        }
        Ok(DuePage { due, next: self.rows.next_due()?, now: self.now })
    }

    /// Whether a run that is ready has something to fold, start or end.
    fn has_work(&mut self, run: RunId, state: &RunState) -> Outcome<bool> {
        Ok(match state.status {
            RunStatus::Running | RunStatus::Undoing if state.closed > 0 || state.superstep == 0 || state.resumed => {
                true
            }
            RunStatus::Running | RunStatus::Undoing => {
                if state.undoing && !self.has_groups(run)? {
                    return Ok(true);
                }
                let info = self.rows.run_info(run)?;
                info.and_then(|info| info.deadline).is_some_and(|deadline| deadline <= self.now)
            }
            RunStatus::Cancelling => true,
            _ => false,
        })
    }

    pub(super) fn extend(&mut self, run: RunId, ms: u64, untried: bool) -> Outcome<bool> {
        let entry = DueKey::run(DueKind::Ready, run);
        if self.rows.due(&entry)?.is_none() {
            return Ok(false);
        }
        if untried && let Some(mut state) = self.rows.run_state(run)? {
            state.advance_attempts = state.advance_attempts.saturating_sub(1);
            self.rows.put_run_state(run, &state)?;
        }
        self.rows.put_due(&entry, self.now.plus_ms(ms))?;
        Ok(true)
    }

    pub(super) fn park(&mut self, run: RunId, reason: &str) -> Outcome<bool> {
        let Some(mut state) = self.rows.run_state(run)? else { return Ok(false) };
        if !matches!(state.status, RunStatus::Running | RunStatus::Undoing) {
            return Ok(false);
        }
        state.status = RunStatus::Stuck;
        self.run_event(run, &mut state, EventKind::Parked, 0, reason.to_owned())?;
        self.rows.put_run_state(run, &state)?;
        self.rows.put_parked(run, self.now, reason)?;
        self.rows.delete_due(&DueKey::run(DueKind::Ready, run))?;
        Ok(true)
    }

    pub(super) fn unpark(&mut self, run: RunId, actor: &Actor, operation: &str) -> Outcome<bool> {
        let (Some(info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            return Ok(false);
        };
        if state.status != RunStatus::Stuck {
            return Ok(false);
        }
        state.status = if state.undoing { RunStatus::Undoing } else { RunStatus::Running };
        state.advance_attempts = 0;
        state.ready_at = self.now;
        self.rows.put_run_state(run, &state)?;
        self.rows.delete_parked(run)?;
        self.rows.put_due(&DueKey::run(DueKind::Ready, run), self.now)?;
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: actor.clone(),
            operation: "unpark".to_owned(),
            run,
            subject: operation.to_owned(),
            before: state.ver,
            after: state.ver,
            verdict: state.status.name().to_owned(),
            number: 0,
            prior: String::new(),
        })?;
        Ok(true)
    }

    pub(super) fn gc(&mut self, run: RunId) -> Outcome<bool> {
        let entry = DueKey::run(DueKind::Gc, run);
        let (Some(info), Some(state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            self.rows.delete_due(&entry)?;
            return Ok(false);
        };
        if !state.status.is_terminal() {
            self.rows.delete_due(&entry)?;
            return Ok(false);
        }
        if state.detached_open > 0 || state.children > 0 || state.leaving > 0 {
            self.rows.put_due(&entry, self.now.plus_ms(self.timings.hide_ms))?;
            return Ok(false);
        }
        match info.parent {
            Some(_) => self.rows.delete_thread(&info.thread)?,
            None => {
                self.rows.delete_listed(&info.thread.tenant, state.created_at, run)?;
                self.let_go(&info.thread, run, state.ended_at)?;
            }
        }
        self.rows.delete_run(run)?;
        self.rows.delete_due(&entry)?;
        Ok(true)
    }
}
