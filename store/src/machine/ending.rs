//! The end of groups and of a run, which is written once; the thread's next run has its turn.

use baton_common::commit::RunEnd;
use baton_common::records::{
    Body, DueKey, DueKind, EventKind, Group, GroupPhase, RunInfo, RunState, RunStatus, Thread,
};
use baton_common::{GroupId, RunId};

use super::{Machine, Outcome};

/// Whether a run that ended so may be taken up again where it failed: its groups are kept.
pub(super) fn may_be_retried(status: RunStatus) -> bool {
    matches!(status, RunStatus::Failed | RunStatus::Cancelled)
}

impl Machine<'_> {
    /// Ends whatever a group still has under way and removes it.
    pub(super) fn drop_group(&mut self, info: &RunInfo, state: &mut RunState, id: &GroupId) -> Outcome<()> {
        let Some(mut group) = self.group(info.id, id)? else { return Ok(()) };
        if group.state.phase == GroupPhase::Closed {
            state.closed = state.closed.saturating_sub(1);
        }
        let job = self.first_job(info, state, &group);
        self.cancel_rest(info, state, &mut group, &job, true)?;
        self.drop_group_due(&job, &group)?;
        self.remove_group(state, group, &job)
    }

    /// Ends whatever a group still has under way and keeps it, for a retry: nothing wakes it.
    pub(super) fn freeze_group(&mut self, info: &RunInfo, state: &mut RunState, mut group: Group) -> Outcome<()> {
        if group.state.phase == GroupPhase::Closed {
            return Ok(());
        }
        let job = self.first_job(info, state, &group);
        self.cancel_rest(info, state, &mut group, &job, true)?;
        self.drop_group_due(&job, &group)?;
        group.state.phase = GroupPhase::Closed;
        self.rows.put_group_state(info.id, &group.info.id, &group.state)
    }

    /// Writes a run's end, once, its state among it, and gives the thread to the next in its queue.
    pub(super) fn end_run(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        end: &RunEnd,
        body: &Body,
    ) -> Outcome<Option<RunId>> {
        for group in self.groups(info.id)? {
            if group.info.detached {
                continue;
            }
            if may_be_retried(end.status) && !group.info.undo {
                self.freeze_group(info, state, group)?;
            } else {
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
        self.rows.put_run_end(info.id, body)?;
        self.rows.put_run_state(info.id, state)?;
        let Some(mut thread) = self.rows.thread(&info.thread)? else { return Ok(None) };
        let next = if thread.active == Some(info.id) {
            if let Some(back) = thread.set_back.take() {
                thread.go_back(&back);
            }
            self.next_turn(&mut thread)?
        } else {
            thread.queue.retain(|queued| *queued != info.id);
            None
        };
        self.rows.put_thread(thread)?;
        Ok(next)
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
            state.base = thread.head;
            self.hold_anew(thread, next)?;
            state.ready_at = self.now;
            self.rows.put_run_state(next, &state)?;
            self.rows.put_due(&DueKey::run(DueKind::Ready, next), self.now)?;
            return Ok(Some(next));
        }
        Ok(None)
    }
}
