//! SIGNAL keeps what a thread is told, DELIVER gives it to the wait it is for, HEARD closes a
//! look at a run's waits.

use baton_common::RunId;
use baton_common::records::{
    Audit, DueKey, DueKind, EventKind, GroupPhase, RunInfo, SIGNALS_MAX, Signal as Kept, TaskKind, TaskState, Thread,
};
use baton_common::transition::{Deliver, DeliverAnswer, Signal, SignalAnswer};

use super::tail::Ending;
use super::wait::root_key;
use super::{Machine, Outcome, nobody};

impl Machine<'_> {
    pub(super) fn signal(&mut self, op: &Signal) -> Outcome<SignalAnswer> {
        let Some(mut thread) = self.rows.thread(&op.thread)? else { return Ok(SignalAnswer::Unknown) };
        if self.rows.signal_number(&op.thread, &op.id)?.is_some() {
            return Ok(SignalAnswer::Already);
        }
        if thread.untaken >= SIGNALS_MAX {
            return Ok(SignalAnswer::Full);
        }
        thread.signals += 1;
        thread.untaken += 1;
        let number = thread.signals;
        self.rows.put_signal(
            &op.thread,
            &Kept {
                number,
                id: op.id.clone(),
                name: op.name.clone(),
                at: self.now,
                value: op.value.clone(),
                taken: None,
            },
        )?;
        let old = number.saturating_sub(u64::from(SIGNALS_MAX));
        if self.rows.signal(&op.thread, old)?.is_some_and(|signal| signal.taken.is_some()) {
            self.rows.delete_signal(&op.thread, old)?;
        }
        self.rows.put_thread(thread.clone())?;
        for run in &thread.awaiting {
            self.rows.put_due(&DueKey::run(DueKind::Signal, *run), self.now)?;
        }
        self.note_signal(op, &thread)?;
        Ok(SignalAnswer::Kept { number, awaiting: thread.awaiting })
    }

    /// Tells the active run's watchers and the audit of a signal.
    fn note_signal(&mut self, op: &Signal, thread: &Thread) -> Outcome<()> {
        let run = thread.active.unwrap_or_else(|| nobody(op.thread.partition()));
        let mut ver = baton_common::Version(0);
        if let Some(mut state) = self.rows.run_state(run)? {
            self.run_event(run, &mut state, EventKind::Signalled, thread.signals, op.name.clone())?;
            self.rows.put_run_state(run, &state)?;
            ver = state.ver;
        }
        self.note(Audit {
            at: self.now,
            tenant: op.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "signal".to_owned(),
            run,
            subject: format!("{}#{}", op.thread.thread, thread.signals),
            before: ver,
            after: ver,
            verdict: "kept".to_owned(),
            number: 0,
            prior: String::new(),
        })
    }

    pub(super) fn deliver(&mut self, op: &Deliver) -> Outcome<DeliverAnswer> {
        let job = &op.job;
        let (Some(info), Some(mut state)) = (self.rows.run_info(job.run)?, self.rows.run_state(job.run)?) else {
            return Ok(DeliverAnswer::Gone);
        };
        let group = self.group(job.run, &job.group)?;
        let task = self.rows.task(job.run, &job.group, job.index)?;
        let (Some(mut group), Some(mut task)) = (group, task) else { return Ok(DeliverAnswer::Gone) };
        let waits = group.info.kind == TaskKind::Wait
            && group.state.phase == GroupPhase::Open
            && task.state == TaskState::Parked
            && job.r#gen == state.r#gen
            && !state.status.is_terminal()
            && !super::stopped(&state, &group);
        let terms = self.rows.terms(job.run, &job.group, job.index)?.filter(|_| waits);
        let (Some(name), Some(mut signal)) =
            (terms.and_then(|terms| terms.signal), self.rows.signal(root_key(&info), op.number)?)
        else {
            return Ok(DeliverAnswer::Gone);
        };
        if signal.taken.is_some() || signal.name != name {
            return Ok(DeliverAnswer::Gone);
        }
        signal.taken = Some(job.clone());
        self.take(&info, &signal)?;
        let tail = self.finish(&info, &mut state, &mut group, job, &mut task, Ending::Done(&op.outcome))?;
        Ok(DeliverAnswer::Taken(tail))
    }

    /// Writes a signal that was taken, or removes it where enough came after it.
    fn take(&mut self, info: &RunInfo, signal: &Kept) -> Outcome<()> {
        let mut thread = self.root_thread(info)?;
        thread.untaken = thread.untaken.saturating_sub(1);
        self.rows.put_thread(thread.clone())?;
        if signal.number + u64::from(SIGNALS_MAX) <= thread.signals {
            return self.rows.delete_signal(&thread.key, signal.number);
        }
        self.rows.put_signal(&thread.key, signal)
    }

    pub(super) fn heard(&mut self, run: RunId, signals: u64, waits: u32) -> Outcome<bool> {
        let entry = DueKey::run(DueKind::Signal, run);
        if self.rows.due(&entry)?.is_none() {
            return Ok(false);
        }
        if let (Some(info), Some(state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?)
            && state.awaiting > 0
            && (state.waits != waits || self.root_thread(&info)?.signals != signals)
        {
            return Ok(false);
        }
        self.rows.delete_due(&entry)?;
        Ok(true)
    }
}
