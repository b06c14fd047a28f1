//! ADVANCE: one checkpointed superstep, compared and set on the run's version.

use baton_common::commit::{Commit, RunEnd};
use baton_common::records::{DueKey, DueKind, EventKind, Group, GroupPhase, RunInfo, RunState, RunStatus, Thread};
use baton_common::transition::AdvanceAnswer;
use baton_common::{JobId, RunId};

use super::{Guard, Machine, Outcome};

impl Machine<'_> {
    pub(super) fn advance(&mut self, op: &Commit) -> Outcome<AdvanceAnswer> {
        let (Some(info), Some(mut state)) = (self.rows.run_info(op.run)?, self.rows.run_state(op.run)?) else {
            return Ok(AdvanceAnswer::Terminal);
        };
        if state.last_op == Some(op.op) {
            return Ok(AdvanceAnswer::Already { ver: state.ver });
        }
        if state.status.is_terminal() {
            return Ok(AdvanceAnswer::Terminal);
        }
        let mut thread = self.rows.thread(&info.thread)?.unwrap_or_else(|| Thread::new(info.thread.clone()));
        if let Some(refusal) = self.refuse_advance(op, &state, &thread)? {
            return Ok(refusal);
        }
        self.keep_checkpoints(op, &info, &mut state, &mut thread)?;
        for group in &op.consumed {
            self.rows.delete_group(op.run, group)?;
            state.closed = state.closed.saturating_sub(1);
        }
        for group in &op.cancelled {
            self.drop_group(&info, &mut state, group)?;
        }
        for new in &op.open {
            self.open_group(&info, &mut state, new, op.op)?;
        }
        if op.staged > 0 {
            self.rows.delete_staged(op.run)?;
        }
        state.ver = state.ver.next();
        state.superstep += 1;
        state.last_op = Some(op.op);
        state.advance_attempts = 0;
        let head = state.head.0;
        self.run_event(op.run, &mut state, EventKind::Advanced, head, "")?;
        let next = match &op.end {
            Some(end) => self.end_run(&info, &mut state, &mut thread, end)?,
            None => {
                self.rearm(op.run, &mut state)?;
                None
            }
        };
        self.rows.put_thread(&thread)?;
        self.rows.put_run_state(op.run, &state)?;
        let again = op.end.is_none() && state.closed > 0;
        Ok(AdvanceAnswer::Advanced { ver: state.ver, again, next, children: Vec::new(), parent: None })
    }

    /// Everything that may speak against the advance; nothing is written before.
    fn refuse_advance(&mut self, op: &Commit, state: &RunState, thread: &Thread) -> Outcome<Option<AdvanceAnswer>> {
        let ends_cancelled = op.end.as_ref().is_some_and(|end| end.status == RunStatus::Cancelled);
        let may = match state.status {
            RunStatus::Cancelling => ends_cancelled,
            RunStatus::Running | RunStatus::Undoing => true,
            _ => false,
        };
        if !may || (op.seen != state.ver && self.guards.hold(Guard::Version)) {
            return Ok(Some(AdvanceAnswer::Conflict));
        }
        if op.checkpoints.first().is_some_and(|first| first.parent != thread.head && self.guards.hold(Guard::Version)) {
            return Ok(Some(AdvanceAnswer::Conflict));
        }
        for id in &op.consumed {
            let group = self.rows.group(op.run, id)?;
            let closed = group.is_some_and(|group| group.state.phase == GroupPhase::Closed);
            if !closed && self.guards.hold(Guard::Version) {
                return Ok(Some(AdvanceAnswer::Conflict));
            }
        }
        if op.staged > 0 && self.rows.staged_count(op.run, op.op)? != op.staged {
            return Ok(Some(AdvanceAnswer::Incomplete));
        }
        Ok(None)
    }

    fn keep_checkpoints(
        &mut self,
        op: &Commit,
        info: &RunInfo,
        state: &mut RunState,
        thread: &mut Thread,
    ) -> Outcome<()> {
        for checkpoint in &op.checkpoints {
            self.rows.put_checkpoint(&info.thread, checkpoint)?;
            for channel in checkpoint.writes.keys() {
                thread.channels.insert(channel.clone(), checkpoint.seq);
            }
            thread.head = checkpoint.seq;
            state.head = checkpoint.seq;
        }
        for segment in &op.segments {
            self.rows.put_segment(&info.thread, segment)?;
        }
        Ok(())
    }

    /// Ends whatever a group still has under way and removes it.
    fn drop_group(&mut self, info: &RunInfo, state: &mut RunState, id: &baton_common::GroupId) -> Outcome<()> {
        let Some(mut group) = self.rows.group(info.id, id)? else { return Ok(()) };
        if group.state.phase == GroupPhase::Closed {
            state.closed = state.closed.saturating_sub(1);
        }
        let job = self.first_job(info, state, &group);
        self.cancel_open_tasks(info, state, &mut group, &job, true)?;
        self.drop_group_due(&job, &group)?;
        self.rows.delete_group(info.id, id)
    }

    /// Leaves the ready entry only where a closed group is left to fold.
    fn rearm(&mut self, run: RunId, state: &mut RunState) -> Outcome<()> {
        let ready = DueKey::run(DueKind::Ready, run);
        if state.closed > 0 {
            state.ready_at = self.now;
            return self.rows.put_due(&ready, self.now.plus_ms(self.timings.ready_after_ms));
        }
        self.rows.delete_due(&ready)
    }

    /// Writes a run's end, once, and gives the thread to the next in its queue.
    fn end_run(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        thread: &mut Thread,
        end: &RunEnd,
    ) -> Outcome<Option<RunId>> {
        for group in self.rows.groups(info.id)? {
            if !group.info.detached {
                self.drop_group(info, state, &group.info.id)?;
            }
        }
        self.rows.delete_staged(info.id)?;
        for kind in [DueKind::Ready, DueKind::Cancel, DueKind::Timer] {
            self.rows.delete_due(&DueKey::run(kind, info.id))?;
        }
        self.rows.put_due(&DueKey::run(DueKind::Gc, info.id), self.now.plus_ms(self.timings.retention_ms))?;
        state.status = end.status;
        state.closed = 0;
        state.ended_at = Some(self.now);
        self.run_event(info.id, state, EventKind::Ended, 0, end.status.name())?;
        self.rows.put_run_end(info.id, &serde_json::to_string(end).unwrap_or_default())?;
        if thread.active != Some(info.id) {
            thread.queue.retain(|queued| *queued != info.id);
            return Ok(None);
        }
        self.next_turn(thread)
    }

    /// Makes the thread's next queued run active and ready.
    fn next_turn(&mut self, thread: &mut Thread) -> Outcome<Option<RunId>> {
        thread.active = None;
        while !thread.queue.is_empty() {
            let next = thread.queue.remove(0);
            let Some(mut state) = self.rows.run_state(next)? else { continue };
            if state.status.is_terminal() {
                continue;
            }
            thread.active = Some(next);
            if state.status == RunStatus::Queued {
                state.status = RunStatus::Running;
            }
            state.ready_at = self.now;
            self.rows.put_run_state(next, &state)?;
            self.rows.put_due(&DueKey::run(DueKind::Ready, next), self.now)?;
            return Ok(Some(next));
        }
        Ok(None)
    }

    /// The job of a group's first index, which names its run, generation and group.
    pub(super) fn first_job(&self, info: &RunInfo, state: &RunState, group: &Group) -> JobId {
        JobId { run: info.id, r#gen: state.r#gen, group: group.info.id.clone(), index: 0 }
    }
}
