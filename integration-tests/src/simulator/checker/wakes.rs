//! I7: nobody is forgotten. A run that is not over is queued or stuck, or something will
//! wake it; and every task that was released has what wakes it itself: its publication, a
//! look at its group, its lease, its question, its time.

use std::collections::BTreeSet;

use baton_common::records::{
    DueKey, DueKind, Group, GroupPhase, Interrupt, InterruptState, RunStatus, Task, TaskKind, TaskState,
};
use baton_common::transition::Op;
use baton_common::{JobId, RunId, Timestamp};
use baton_store::{MemoryStore, Reader, RunDetail};

use super::{Made, Seen, Verdict, at_once};

pub(super) fn judge(store: &MemoryStore, seen: &mut Seen, made: &Made<'_>, detail: &RunDetail) -> Verdict {
    let (info, state) = (&detail.run.info, &detail.run.state);
    let run = info.id;
    let due = at_once(store.due(run.partition))?;
    let due: BTreeSet<DueKey> = due.into_iter().map(|(_, due)| due.key).filter(|key| key.run == run).collect();
    let has = |kind| due.contains(&DueKey::run(kind, run));
    let ready = has(DueKind::Ready);
    let open = |group: &Group| !group.info.detached && group.state.phase != GroupPhase::Closed;
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
    let stopping = detail.groups.iter().any(|(group, _)| group.state.phase == GroupPhase::Stopping);
    if stopping && !has(DueKind::Cancel) && state.status != RunStatus::Stuck {
        return Err(format!("I7: {run} stops and nothing will hasten it"));
    }
    judge_waits(store, seen, made, detail, has(DueKind::Signal))?;
    let wakes = Wakes { store, due: &due, detail, run, now: made.now };
    for (group, tasks) in detail.groups.iter().filter(|(group, _)| open(group) || group.info.detached) {
        wakes.judge_group(group, tasks)?;
    }
    Ok(())
}

/// Waits for a signal are counted, known to the thread that signals are sent to, and looked
/// after where one came that is named so.
fn judge_waits(
    store: &MemoryStore,
    seen: &mut Seen,
    made: &Made<'_>,
    detail: &RunDetail,
    looked_after: bool,
) -> Verdict {
    let (info, state) = (&detail.run.info, &detail.run.state);
    let waits = at_once(store.waits(info.id))?;
    let (counted, there) = (state.awaiting as usize, waits.len());
    // What is left to be stopped still counts.
    if counted < there || counted > there && state.leaving == 0 {
        return Err(format!("I3: {} counts {} waits and has {}", info.id, state.awaiting, waits.len()));
    }
    if waits.is_empty() {
        return Ok(());
    }
    let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
    let known = at_once(store.thread(root))?.is_some_and(|thread| thread.awaiting.contains(&info.id));
    if !known {
        return Err(format!("I7: {} waits for a signal and {root} does not know it", info.id));
    }
    let mut signals = at_once(store.signals(root))?.into_iter().filter(|signal| signal.taken.is_none());
    let came = signals.any(|signal| waits.iter().any(|wait| wait.signal == signal.name));
    if !came || looked_after {
        seen.unheard.remove(&info.id);
        return Ok(());
    }
    // A look that began before the store went back ends the look of after it: its counters
    // may be the same. Such a wait goes on with the next signal, or with its time.
    if seen.rolled_back && matches!(made.op, Op::Heard { .. }) {
        seen.unheard.insert(info.id);
    }
    if seen.unheard.contains(&info.id) {
        return Ok(());
    }
    Err(format!("I7: a signal came for {} and nothing will deliver it", info.id))
}

struct Wakes<'a> {
    store: &'a MemoryStore,
    due: &'a BTreeSet<DueKey>,
    detail: &'a RunDetail,
    run: RunId,
    now: Timestamp,
}

impl Wakes<'_> {
    fn judge_group(&self, group: &Group, tasks: &[Task]) -> Verdict {
        let id = &group.info.id;
        let state = &self.detail.run.state;
        let stopped = group.state.phase == GroupPhase::Stopping;
        let stops = state.status == RunStatus::Cancelling || state.undoing && !group.info.undo;
        if stops && !stopped && !group.info.detached && !group.info.undo {
            return Err(format!("I7: {} is {} and {id} goes on", self.run, state.status.name()));
        }
        for (index, task) in (0_u32..).zip(tasks).filter(|(_, task)| !task.state.is_ended()) {
            if stopped && !task.is_at_work(group.info.kind) {
                return Err(format!("I7: {id} of {} stops and [{index}] is {:?}", self.run, task.state));
            }
            let job = JobId { run: self.run, r#gen: self.detail.run.state.r#gen, group: id.clone(), index };
            if !self.is_woken(group, &job, task)? {
                return Err(format!("I7: nothing wakes {job}: {:?}", task.state));
            }
        }
        let timed = self.has(&DueKey::group(DueKind::Timer, self.run, id));
        let settles = group.state.settling && group.state.phase == GroupPhase::Open;
        if (settles || group.state.has_left()) && !timed {
            return Err(format!("I7: nothing goes on with {id} of {}", self.run));
        }
        // A group that was opened again after its deadline has none.
        let again = self.detail.run.state.r#gen.0 > 0;
        let deadline = group.info.deadline.filter(|deadline| !again || *deadline > self.now);
        if deadline.is_some() && !stopped && !self.has(&DueKey::group(DueKind::Timer, self.run, id)) {
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
            TaskState::Held => group.state.linked || job.index >= group.state.next_held,
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
                None => own(DueKind::Timer),
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
