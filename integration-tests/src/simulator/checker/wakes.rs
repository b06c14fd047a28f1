//! I7: nobody is forgotten. A run that is not over is queued or stuck, or something will
//! wake it; and every task that was released has what wakes it itself: its publication, a
//! look at its group, its lease, its question, its time.

use std::collections::BTreeSet;

use baton_common::records::{
    DueKey, DueKind, Group, GroupPhase, Interrupt, InterruptState, RunStatus, Task, TaskKind, TaskState,
};
use baton_common::{JobId, RunId};
use baton_store::{MemoryStore, Reader, RunDetail};

use super::{Verdict, at_once};

pub(super) fn judge(store: &MemoryStore, detail: &RunDetail) -> Verdict {
    let (info, state) = (&detail.run.info, &detail.run.state);
    let run = info.id;
    let due = at_once(store.due(run.partition))?;
    let due: BTreeSet<DueKey> = due.into_iter().map(|(_, due)| due.key).filter(|key| key.run == run).collect();
    let has = |kind| due.contains(&DueKey::run(kind, run));
    let ready = has(DueKind::Ready);
    let open = |group: &Group| !group.info.detached && group.state.phase == GroupPhase::Open;
    match state.status {
        RunStatus::Queued => {
            let thread = at_once(store.thread(&info.thread))?;
            let waits = thread.is_some_and(|thread| thread.active.is_some() && thread.queue.contains(&run));
            if !waits {
                return Err(format!("I7: {run} is queued and its thread does not know it"));
            }
        }
        RunStatus::Running | RunStatus::Undoing => {
            if state.closed > 0 && !ready {
                return Err(format!("I7: {run} has closed groups and is not ready"));
            }
            if !ready && !detail.groups.iter().any(|(group, _)| open(group)) {
                return Err(format!("I7: {run} is {} and nothing will wake it", state.status.name()));
            }
        }
        RunStatus::Cancelling if !ready && !has(DueKind::Cancel) => {
            return Err(format!("I7: {run} is cancelling and nothing will end it"));
        }
        RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled if !has(DueKind::Gc) => {
            return Err(format!("I7: {run} is over and nothing will remove it"));
        }
        _ => {}
    }
    let wakes = Wakes { store, due: &due, detail, run };
    for (group, tasks) in detail.groups.iter().filter(|(group, _)| open(group) || group.info.detached) {
        wakes.judge_group(group, tasks)?;
    }
    Ok(())
}

struct Wakes<'a> {
    store: &'a MemoryStore,
    due: &'a BTreeSet<DueKey>,
    detail: &'a RunDetail,
    run: RunId,
}

impl Wakes<'_> {
    fn judge_group(&self, group: &Group, tasks: &[Task]) -> Verdict {
        let id = &group.info.id;
        let cancelled = self.detail.run.state.status == RunStatus::Cancelling;
        let only_claimed = cancelled && !group.info.detached && !group.info.undo;
        for (index, task) in (0_u32..).zip(tasks).filter(|(_, task)| !task.state.is_ended()) {
            if only_claimed && !matches!(task.state, TaskState::Claimed { .. }) {
                return Err(format!("I7: {} is cancelling and {id}[{index}] is {:?}", self.run, task.state));
            }
            let job = JobId { run: self.run, r#gen: self.detail.run.state.r#gen, group: id.clone(), index };
            if !self.is_woken(group, &job, task)? {
                return Err(format!("I7: nothing wakes {job}: {:?}", task.state));
            }
        }
        if group.info.deadline.is_some() && !cancelled && !self.has(&DueKey::group(DueKind::Timer, self.run, id)) {
            return Err(format!("I7: nothing looks at the deadline of {id} in {}", self.run));
        }
        Ok(())
    }

    fn has(&self, key: &DueKey) -> bool {
        self.due.contains(key)
    }

    fn is_woken(&self, group: &Group, job: &JobId, task: &Task) -> Result<bool, String> {
        let own = |kind| self.has(&DueKey::task(kind, job));
        let of_group = |kind| self.has(&DueKey::group(kind, self.run, &job.group));
        Ok(match task.state {
            // What ends before it releases it.
            TaskState::Held => job.index >= group.state.next_held,
            TaskState::Publishable { .. } => own(DueKind::Publish) || of_group(DueKind::Publish),
            TaskState::Dispatched { .. } => of_group(DueKind::Check),
            TaskState::Claimed { .. } => own(DueKind::Lease),
            TaskState::OutcomeUnknown => self.question(job).is_some(),
            TaskState::Parked if group.info.kind == TaskKind::Child => {
                let child = at_once(self.store.run(RunId::for_child(job)))?;
                child.is_some_and(|child| !child.state.status.is_terminal())
            }
            TaskState::Parked => match self.question(job) {
                Some(question) => question.expires_at.is_none() || own(DueKind::Timer),
                None if group.info.kind == TaskKind::Ask => false,
                None => own(DueKind::Timer) || own(DueKind::Signal) || self.detail.run.state.awaiting > 0,
            },
            TaskState::Done | TaskState::Failed | TaskState::Cancelled => true,
        })
    }

    /// The open question of a task.
    fn question(&self, job: &JobId) -> Option<&Interrupt> {
        let open = |interrupt: &&Interrupt| interrupt.job == *job && interrupt.state == InterruptState::Open;
        self.detail.interrupts.iter().find(open)
    }
}
