//! Waits: how one begins and how it stops. A wait for a signal makes its run one that is
//! looked after when its root's thread is sent a signal.

use baton_common::JobId;
use baton_common::ids::ThreadKey;
use baton_common::records::{DueKey, DueKind, EventKind, RunInfo, RunState, Thread};

use super::{Machine, Outcome};

impl Machine<'_> {
    /// Begins a wait that was released.
    pub(super) fn begin_wait(&mut self, info: &RunInfo, state: &mut RunState, job: &JobId) -> Outcome<()> {
        let mut terms = self.rows.terms(job.run, &job.group, job.index)?.unwrap_or_default();
        terms.until = terms.over_at(self.now);
        if terms.until.is_none() && terms.signal.is_none() {
            terms.until = Some(self.now);
        }
        self.rows.put_terms(job.run, &job.group, job.index, &terms)?;
        if let Some(until) = terms.until {
            self.rows.put_due(&DueKey::task(DueKind::Timer, job), until)?;
        }
        let Some(signal) = terms.signal else { return self.task_event(job, state, EventKind::Waits, 0, "time") };
        self.task_event(job, state, EventKind::Waits, 0, format!("signal {signal}"))?;
        state.awaiting += 1;
        state.waits += 1;
        let mut thread = self.root_thread(info)?;
        if thread.untaken > 0 {
            self.rows.put_due(&DueKey::run(DueKind::Signal, info.id), self.now)?;
        }
        if state.awaiting == 1 {
            thread.awaiting.push(info.id);
            self.rows.put_thread(thread)?;
        }
        Ok(())
    }

    /// Takes a wait that ends out of whatever would end it.
    pub(super) fn stop_wait(&mut self, info: &RunInfo, state: &mut RunState, job: &JobId) -> Outcome<()> {
        let terms = self.rows.terms(job.run, &job.group, job.index)?.unwrap_or_default();
        self.rows.delete_due(&DueKey::task(DueKind::Timer, job))?;
        if terms.signal.is_none() {
            return Ok(());
        }
        state.awaiting = state.awaiting.saturating_sub(1);
        if state.awaiting == 0 {
            self.rows.delete_due(&DueKey::run(DueKind::Signal, info.id))?;
            let mut thread = self.root_thread(info)?;
            thread.awaiting.retain(|run| *run != info.id);
            self.rows.put_thread(thread)?;
        }
        Ok(())
    }

    /// The thread whose signals are for a run. Whoever calls this holds no other copy of it.
    pub(super) fn root_thread(&mut self, info: &RunInfo) -> Outcome<Thread> {
        let key = root_key(info);
        Ok(self.rows.thread(key)?.unwrap_or_else(|| Thread::new(key.clone())))
    }
}

/// The name of that thread.
pub(super) fn root_key(info: &RunInfo) -> &ThreadKey {
    info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread)
}
