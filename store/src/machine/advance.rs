//! ADVANCE: one checkpointed superstep, compared and set on the run's version.

use std::sync::Arc;

use baton_common::commit::Commit;
use baton_common::records::{
    Checkpoint, DueKey, DueKind, EventKind, Group, GroupPhase, RunInfo, RunState, RunStatus, Thread,
};
use baton_common::transition::{AdvanceAnswer, Tail};
use baton_common::{GroupId, JobId, RunId};

use super::{Guard, Machine, Outcome, ending};

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
        self.rows.put_thread(thread)?;
        for group in &op.consumed {
            if !op.end.as_ref().is_some_and(|end| ending::may_be_retried(end.status)) {
                self.consume_group(&info, &state, group)?;
            }
            state.closed = state.closed.saturating_sub(1);
        }
        for group in &op.cancelled {
            self.drop_group(&info, &mut state, group)?;
        }
        if op.undoing {
            self.begin_undoing(&info, &mut state, &op.open.iter().map(|new| new.info.id.clone()).collect::<Vec<_>>())?;
        }
        let mut tail = Tail::default();
        for new in &op.open {
            self.open_group(&info, &mut state, new, op.op, &mut tail)?;
        }
        if op.staged > 0 {
            self.rows.delete_staged(op.run)?;
        }
        state.ver = state.ver.next();
        state.superstep += 1;
        state.last_op = Some(op.op);
        state.advance_attempts = 0;
        state.resumed = false;
        let head = state.head.0;
        self.run_event(op.run, &mut state, EventKind::Advanced, head, "")?;
        let children = tail.ready;
        let Some(end) = &op.end else {
            self.rearm(op.run, &mut state)?;
            self.rows.put_run_state(op.run, &state)?;
            let again = state.closed > 0;
            return Ok(AdvanceAnswer::Advanced { ver: state.ver, again, next: None, children, parent: None });
        };
        let ver = state.ver;
        let body = serde_json::to_string(end).unwrap_or_default();
        let next = self.end_run(&info, &mut state, end, &body)?;
        let parent = self.child_ended(&info, end, &body)?.map(Box::new);
        Ok(AdvanceAnswer::Advanced { ver, again: false, next, children, parent })
    }

    /// Everything that may speak against the advance; nothing is written before.
    fn refuse_advance(&mut self, op: &Commit, state: &RunState, thread: &Thread) -> Outcome<Option<AdvanceAnswer>> {
        let ends_cancelled = op.end.as_ref().is_some_and(|end| end.status == RunStatus::Cancelled);
        let may = match state.status {
            RunStatus::Cancelling => ends_cancelled || op.undoing,
            RunStatus::Running | RunStatus::Undoing => true,
            _ => false,
        };
        let moved = op.seen != state.ver || op.after.is_some_and(|after| state.last_op != Some(after));
        if !may || (moved && self.guards.hold(Guard::Version)) {
            return Ok(Some(AdvanceAnswer::Conflict));
        }
        if op.checkpoints.first().is_some_and(|first| first.parent != thread.head && self.guards.hold(Guard::Version)) {
            return Ok(Some(AdvanceAnswer::Conflict));
        }
        for (place, id) in op.consumed.iter().enumerate() {
            let group = self.group(op.run, id)?;
            let at = op.closed_at.get(place).copied();
            let as_seen = |group: &Group| at.is_none() || group.state.closed_at == at;
            let closed = group.is_some_and(|group| group.state.phase == GroupPhase::Closed && as_seen(&group));
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
            self.keep_checkpoint(thread, checkpoint)?;
            state.head = checkpoint.seq;
        }
        for segment in &op.segments {
            self.rows.put_segment(&info.thread, segment)?;
        }
        Ok(())
    }

    /// Writes a checkpoint, which is its thread's head then. The thread is the caller's to write.
    pub(super) fn keep_checkpoint(&mut self, thread: &mut Thread, checkpoint: &Arc<Checkpoint>) -> Outcome<()> {
        self.rows.put_checkpoint(&thread.key, checkpoint)?;
        for channel in checkpoint.writes.keys() {
            match thread.channels.get_mut(channel) {
                Some(last) => *last = checkpoint.seq,
                None => _ = thread.channels.insert(channel.clone(), checkpoint.seq),
            }
        }
        thread.head = checkpoint.seq;
        Ok(())
    }

    /// Removes a group that was folded.
    fn consume_group(&mut self, info: &RunInfo, state: &RunState, id: &GroupId) -> Outcome<()> {
        if state.leaving == 0 {
            return self.rows.delete_group(info.id, id);
        }
        let Some(group) = self.group(info.id, id)? else { return Ok(()) };
        let job = self.first_job(info, state, &group);
        self.remove_group(state, group, &job)
    }

    /// Leaves the ready entry only where a closed group is left to fold, or where a run that
    /// turned to its compensations has nothing that would make it ready.
    fn rearm(&mut self, run: RunId, state: &mut RunState) -> Outcome<()> {
        let ready = DueKey::run(DueKind::Ready, run);
        if state.closed == 0 && state.undoing && !self.has_groups(run)? {
            state.ready_at = self.now;
            return self.rows.put_due(&ready, self.now);
        }
        if state.closed > 0 {
            state.ready_at = self.now;
            return self.rows.put_due(&ready, self.now.plus_ms(self.timings.ready_after_ms));
        }
        self.rows.delete_due(&ready)
    }

    /// Whether a run has groups that it waits for or is to fold.
    pub(super) fn has_groups(&mut self, run: RunId) -> Outcome<bool> {
        Ok(self.groups(run)?.iter().any(|group| !group.info.detached))
    }

    /// The job of a group's first index, which names its run, generation and group.
    pub(super) fn first_job(&self, info: &RunInfo, state: &RunState, group: &Group) -> JobId {
        JobId { run: info.id, r#gen: state.r#gen, group: group.info.id.clone(), index: 0 }
    }
}
