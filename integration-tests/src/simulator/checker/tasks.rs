//! Invariants of groups and their tasks: I3 (counters equal tasks, no more under way than
//! the window lets), I6 (fences never fall) and I11 (attempts stay within their limits).

use baton_common::JobId;
use baton_common::records::{Group, GroupPhase, RunStatus, Task, TaskState};
use baton_common::settings::Timings;
use baton_store::RunDetail;

use super::{Seen, Verdict};

pub(super) fn judge(timings: &Timings, seen: &mut Seen, detail: &RunDetail) -> Verdict {
    let (run, state) = (detail.run.info.id, &detail.run.state);
    for (group, tasks) in &detail.groups {
        recount(group, tasks, state.status == RunStatus::Running)?;
        under_way(group, tasks)?;
        for (index, task) in (0_u32..).zip(tasks) {
            let attempts = group.info.policy.attempts_max;
            if task.app_attempts > attempts || task.infra_attempts > timings.infra_attempts_max {
                return Err(format!("I11: {} had too many attempts: {task:?}", group.info.id));
            }
            let job = JobId { run, r#gen: state.r#gen, group: group.info.id.clone(), index };
            let highest = seen.fences.entry(job).or_default();
            if task.fence.0 < *highest {
                return Err(format!("I6: a fence fell in {}", group.info.id));
            }
            *highest = task.fence.0;
        }
    }
    let count = |wanted: fn(&Group) -> bool| number(detail.groups.iter().filter(|(group, _)| wanted(group)).count());
    let closed = count(|group| !group.info.detached && group.state.phase == GroupPhase::Closed);
    if !state.status.is_terminal() && closed != state.closed {
        return Err(format!("I3: {run} counts {} closed groups and has {closed}", state.closed));
    }
    let detached = count(|group| group.info.detached);
    if detached != state.detached_open {
        return Err(format!("I3: {run} counts {} detached groups and has {detached}", state.detached_open));
    }
    // A run that did not succeed keeps its groups for a retry, with nothing under way.
    let kept = match state.status {
        RunStatus::Succeeded => count(|group| !group.info.detached),
        _ => count(|group| !group.info.detached && group.state.phase != GroupPhase::Closed),
    };
    if state.status.is_terminal() && kept > 0 {
        return Err(format!("I3: {run} is over and keeps {kept} groups"));
    }
    Ok(())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn recount(group: &Group, tasks: &[Task], running: bool) -> Verdict {
    let count = |wanted: fn(&TaskState) -> bool| number(tasks.iter().filter(|task| wanted(&task.state)).count());
    let counted = [
        count(|state| *state == TaskState::Done),
        count(|state| *state == TaskState::Failed),
        count(|state| *state == TaskState::Cancelled),
        count(|state| matches!(state, TaskState::Publishable { .. })),
    ];
    let state = &group.state;
    let kept = [state.ok, state.failed, state.cancelled, state.publishable];
    if counted != kept {
        return Err(format!("I3: {} counts {kept:?}, its tasks are {counted:?}", group.info.id));
    }
    if number(tasks.len()) != group.info.count {
        return Err(format!("I3: {} has {} of its {} tasks", group.info.id, tasks.len(), group.info.count));
    }
    let left = count(|state| !state.is_ended());
    let closed = group.state.phase == GroupPhase::Closed;
    if closed && left > 0 {
        return Err(format!("I3: {} is closed with {left} tasks left", group.info.id));
    }
    if running && group.state.phase == GroupPhase::Open && (left == 0 || group.is_decided()) && !group.info.detached {
        return Err(format!("I3: {} is decided and open: {kept:?}", group.info.id));
    }
    Ok(())
}

/// No more is under way than the window lets, and something is held only behind a full one.
fn under_way(group: &Group, tasks: &[Task]) -> Verdict {
    let at_work = number(tasks.iter().filter(|task| task.is_at_work(group.info.kind)).count());
    if at_work != group.state.at_work {
        return Err(format!("I3: {} counts {} at work and has {at_work}", group.info.id, group.state.at_work));
    }
    if group.state.phase != GroupPhase::Open {
        return Ok(());
    }
    let held = number(tasks.iter().filter(|task| task.state == TaskState::Held).count());
    let ended = number(tasks.iter().filter(|task| task.state.is_ended()).count());
    let under_way = group.info.count - held - ended;
    if under_way > group.info.window.max(1) {
        return Err(format!("I3: {} has {under_way} under way, its window is {}", group.info.id, group.info.window));
    }
    Ok(())
}
