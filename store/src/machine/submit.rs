//! SUBMIT: accepts a run, once per id.

use baton_common::records::{Audit, DueKey, DueKind, EventKind, RunState, RunStatus, Thread};
use baton_common::transition::{Fork, OnBusy, Submit, SubmitAnswer};
use baton_common::{RunId, Seq, Version};

use super::retention::Shares;
use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn submit(&mut self, op: &Submit) -> Outcome<SubmitAnswer> {
        let info = &op.info;
        if let Some(known) = self.rows.run_info(info.id)? {
            let same = known.body_digest == info.body_digest;
            return Ok(if same { SubmitAnswer::Exists } else { SubmitAnswer::Conflict });
        }
        let known = self.rows.thread(&info.thread)?;
        if known.is_some() && op.fork.is_some() {
            return Ok(SubmitAnswer::Conflict);
        }
        let Some(shares) = self.fork_shares(op)? else { return Ok(SubmitAnswer::Gone) };
        let there = known.is_some();
        let mut thread = known.unwrap_or_else(|| Thread::new(info.thread.clone()));
        let active = thread.active;
        if let Some(active) = active {
            let takes_back = op.set_back.as_ref().is_some_and(|(run, _)| *run == active);
            match op.on_busy {
                OnBusy::Reject => return Ok(SubmitAnswer::Busy),
                OnBusy::Rollback if !takes_back => return Ok(SubmitAnswer::Busy),
                OnBusy::Enqueue => thread.queue.push(info.id),
                OnBusy::Interrupt | OnBusy::Rollback => thread = self.interrupt(op, active)?,
            }
        } else {
            thread.active = Some(info.id);
        }
        let status = if active.is_some() { RunStatus::Queued } else { RunStatus::Running };
        let mut state = RunState::new(status, self.now);
        if let Some(fork) = &op.fork {
            self.begin_fork(fork, &mut thread)?;
            (state.head, state.resumed) = (thread.head, true);
        }
        state.base = thread.head;
        self.hold_shares(&shares, op.fork.as_ref().map_or(Seq(0), |fork| fork.origin.seq))?;
        self.hold_turn(&mut thread, info.id, there, op.lasting)?;
        self.run_event(info.id, &mut state, EventKind::Submitted, 0, status.name())?;
        self.rows.put_thread(thread)?;
        self.rows.put_run_info(info)?;
        self.rows.put_run_state(info.id, &state)?;
        if active.is_none() {
            self.rows.put_due(&DueKey::run(DueKind::Ready, info.id), self.now)?;
        }
        if let Some(deadline) = info.deadline {
            self.rows.put_due(&DueKey::run(DueKind::Timer, info.id), deadline)?;
        }
        self.rows.put_listed(&info.thread.tenant, self.now, info.id)?;
        self.note_submit(op, status)?;
        Ok(if active.is_some() { SubmitAnswer::Queued } else { SubmitAnswer::Accepted })
    }

    /// Cancels the active run in favour of this one, which is the next. Its thread, as it is
    /// to be written.
    fn interrupt(&mut self, op: &Submit, active: RunId) -> Outcome<Thread> {
        if let (Some(info), Some(mut state)) = (self.rows.run_info(active)?, self.rows.run_state(active)?)
            && state.status != RunStatus::Cancelling
            && !state.undoing
        {
            let before = state.ver;
            self.begin_cancel(&info, &mut state)?;
            self.note_cancel(&info, &op.info.actor, "", before, state.ver)?;
        }
        // The cancel may have written the thread.
        let key = &op.info.thread;
        let mut thread = self.rows.thread(key)?.unwrap_or_else(|| Thread::new(key.clone()));
        thread.queue.insert(0, op.info.id);
        if op.on_busy == OnBusy::Rollback {
            thread.set_back = op.set_back.as_ref().map(|(_, back)| Box::new(back.clone()));
        }
        Ok(thread)
    }

    /// What a fork shares, and from whom; nothing where it was removed.
    fn fork_shares(&mut self, op: &Submit) -> Outcome<Option<Shares>> {
        let Some(fork) = &op.fork else { return Ok(Some(Shares::new())) };
        let mut thread = Thread::new(op.info.thread.clone());
        thread.origin = Some(Box::new(fork.origin.clone()));
        self.shares(&thread, fork.origin.seq)
    }

    /// Begins the thread of a fork with what it shares, and the edit on top of it.
    fn begin_fork(&mut self, fork: &Fork, thread: &mut Thread) -> Outcome<()> {
        thread.origin = Some(Box::new(fork.origin.clone()));
        thread.head = fork.head.seq;
        thread.channels.clone_from(&fork.head.channels);
        if let Some((checkpoint, segments)) = &fork.edit {
            self.keep_checkpoint(thread, checkpoint)?;
            for segment in segments {
                self.rows.put_segment(&thread.key, segment)?;
            }
        }
        Ok(())
    }

    fn note_submit(&mut self, op: &Submit, status: RunStatus) -> Outcome<()> {
        let info = &op.info;
        let origin = op.fork.as_ref().map(|fork| format!("{}#{}", fork.origin.thread.thread, fork.origin.seq));
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: info.actor.clone(),
            operation: if origin.is_some() { "fork" } else { "submit" }.to_owned(),
            run: info.id,
            subject: origin.unwrap_or_default(),
            before: Version(0),
            after: Version(1),
            verdict: status.name().to_owned(),
            number: 0,
            prior: String::new(),
        })
    }
}
