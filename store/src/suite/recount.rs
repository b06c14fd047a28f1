//! Recounts what the machine counts: counters against tasks, questions, waits and due entries.

use std::collections::BTreeSet;

use baton_common::ids::RunId;
use baton_common::records::{DueKey, DueKind, Group, GroupPhase, InterruptState, RunStatus, Task, TaskKind, TaskState};

use crate::memory::MemoryStore;
use crate::{Reader, RunDetail};

/// Recounts these runs, and names what they have that a share was too small for.
///
/// # Panics
/// Where a count is wrong, or something is left that nothing would ever end.
pub(super) async fn recount(store: &MemoryStore, runs: &[RunId], what: &str) -> Vec<&'static str> {
    let mut later = Vec::new();
    for run in runs {
        let Some(detail) = store.detail(*run).await.expect("a read") else { continue };
        let due = store.due(run.partition).await.expect("a read");
        let due: BTreeSet<DueKey> = due.into_iter().map(|(_, due)| due.key).filter(|key| key.run == *run).collect();
        for (group, tasks) in &detail.groups {
            let wrong = wrong_group(group, tasks, &due, &detail);
            assert!(wrong.is_none(), "{what}: {run} {}: {}\n{group:?}\n{tasks:?}", group.info.id, wrong.unwrap_or(""));
        }
        let wrong = wrong_run(store, &detail, &due).await;
        assert!(wrong.is_none(), "{what}: {run}: {}\n{:?}", wrong.unwrap_or(""), detail);
        later.extend((detail.run.state.leaving > 0).then_some("something is left of a group"));
        let settles = detail.groups.iter().any(|(group, _)| group.state.settling);
        later.extend(settles.then_some("ends are left to be followed"));
    }
    later
}

fn wrong_group(group: &Group, tasks: &[Task], due: &BTreeSet<DueKey>, detail: &RunDetail) -> Option<&'static str> {
    let count = |wanted: fn(&Task) -> bool| tasks.iter().filter(|task| wanted(task)).count();
    let equal = |counter: u32, found: usize| usize::try_from(counter) == Ok(found);
    let state = &group.state;
    if !equal(state.ok, count(|task| task.state == TaskState::Done))
        || !equal(state.failed, count(|task| task.state == TaskState::Failed))
        || !equal(state.cancelled, count(|task| task.state == TaskState::Cancelled))
    {
        return Some("ended tasks are counted wrong");
    }
    if !equal(state.at_work, tasks.iter().filter(|task| task.is_at_work(group.info.kind)).count()) {
        return Some("tasks at work are counted wrong");
    }
    if state.phase == GroupPhase::Open
        && !equal(state.publishable, count(|task| matches!(task.state, TaskState::Publishable { .. })))
    {
        return Some("publishable tasks are counted wrong");
    }
    if state.phase != GroupPhase::Closed && state.ended() >= group.info.count {
        return Some("it has ended and did not close");
    }
    let held = count(|task| task.state == TaskState::Held);
    let under_way = tasks.iter().filter(|task| !task.state.is_ended()).count() - held;
    let window = usize::try_from(group.info.window.clamp(1, group.info.count)).unwrap_or(usize::MAX);
    if under_way > window {
        return Some("its window is exceeded");
    }
    let goes_on = due.contains(&DueKey::group(DueKind::Timer, detail.run.info.id, &group.info.id));
    let settles = state.settling && state.phase == GroupPhase::Open;
    if (state.has_left() || settles) && !goes_on {
        return Some("something is left of it and nothing goes on with it");
    }
    if state.phase == GroupPhase::Open && held > 0 && under_way == 0 && !goes_on {
        return Some("nothing is under way that would release what is held");
    }
    let job = |index| baton_common::JobId {
        run: detail.run.info.id,
        r#gen: detail.run.state.r#gen,
        group: group.info.id.clone(),
        index,
    };
    for (index, task) in (0_u32..).zip(tasks) {
        let asked = detail.interrupts.iter().any(|asked| {
            asked.job.group == group.info.id && asked.job.index == index && asked.state == InterruptState::Open
        });
        let timed = due.contains(&DueKey::task(DueKind::Timer, &job(index)));
        let leased = due.contains(&DueKey::task(DueKind::Lease, &job(index)));
        let fine = match task.state {
            TaskState::OutcomeUnknown => asked,
            TaskState::Parked if group.info.kind == TaskKind::Ask => asked,
            TaskState::Parked if group.info.kind == TaskKind::Job => asked || timed,
            TaskState::Parked => !asked,
            TaskState::Claimed { .. } => leased && !asked,
            _ if index >= state.left_from && index < state.left_until => !leased,
            _ => !asked && !timed && !leased,
        };
        if !fine {
            return Some("a task has the wrong questions or due entries");
        }
    }
    None
}

async fn wrong_run(store: &MemoryStore, detail: &RunDetail, due: &BTreeSet<DueKey>) -> Option<&'static str> {
    let (info, state) = (&detail.run.info, &detail.run.state);
    let closed = |group: &Group| group.state.phase == GroupPhase::Closed;
    let over = state.status.is_terminal();
    if !over && usize::try_from(state.closed) != Ok(detail.groups.iter().filter(|(group, _)| closed(group)).count()) {
        return Some("closed groups are counted wrong");
    }
    let detached = detail.groups.iter().filter(|(group, _)| group.info.detached).count();
    if usize::try_from(state.detached_open) != Ok(detached) {
        return Some("detached groups are counted wrong");
    }
    let here = |asked: &baton_common::records::Interrupt| {
        detail.groups.iter().any(|(group, _)| group.info.id == asked.job.group)
    };
    let gone = |asked: &baton_common::records::Interrupt| asked.state == InterruptState::Open && !here(asked);
    if state.leaving == 0 && detail.interrupts.iter().any(gone) {
        return Some("a question of a group that is gone is open");
    }
    let waits = store.waits(info.id).await.expect("a read").len();
    if usize::try_from(state.awaiting).is_ok_and(|awaiting| {
        // What is left to be stopped still counts.
        awaiting < waits || awaiting > waits && state.leaving == 0
    }) {
        return Some("waits for a signal are counted wrong");
    }
    let root = info.parent.as_ref().map_or(&info.thread, |parent| &parent.root_thread);
    let thread = store.thread(root).await.expect("a read");
    if thread.is_some_and(|thread| thread.awaiting.contains(&info.id) != (state.awaiting > 0)) {
        return Some("its thread does not know whether it waits for a signal");
    }
    let ready = due.contains(&DueKey::run(DueKind::Ready, info.id));
    let started = state.superstep > 0 && !state.resumed;
    if matches!(state.status, RunStatus::Running | RunStatus::Undoing) && (state.closed > 0 || !started) && !ready {
        return Some("it has something to fold and is not ready");
    }
    let working = detail.groups.iter().any(|(group, _)| !group.info.detached && group.state.at_work > 0);
    if state.status == RunStatus::Cancelling && !working && !ready {
        return Some("it is cancelled, has nothing at work and is not ready");
    }
    None
}
