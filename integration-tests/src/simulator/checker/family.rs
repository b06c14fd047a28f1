//! Runs within runs, as I9 has it for jobs: a child's end reaches its caller exactly once,
//! and whatever ends a caller leaves no child going on.

use baton_common::ids::RunId;
use baton_common::records::{RunStatus, TaskKind, TaskState};
use baton_store::{MemoryStore, Reader, RunDetail};

use super::{Seen, Verdict, at_once};

/// Remembers whose children runs are.
pub(super) fn note<'a>(seen: &mut Seen, runs: impl Iterator<Item = &'a RunDetail>) {
    for detail in runs {
        if let Some(parent) = &detail.run.info.parent {
            seen.children.entry(parent.job.run).or_default().insert(detail.run.info.id);
        }
    }
}

pub(super) fn judge(store: &MemoryStore, seen: &Seen, detail: &RunDetail) -> Verdict {
    let (info, state) = (&detail.run.info, &detail.run.state);
    if let Some(parent) = &info.parent {
        if state.status.is_terminal() {
            judge_end(store, detail, parent.job.run)?;
        }
        judge_caller(store, seen, parent.job.run)?;
    }
    if seen.children.contains_key(&info.id) || state.children > 0 {
        judge_caller(store, seen, info.id)?;
    }
    Ok(())
}

/// A child that is over is no longer waited for.
fn judge_end(store: &MemoryStore, child: &RunDetail, caller: RunId) -> Verdict {
    let Some(parent) = &child.run.info.parent else { return Ok(()) };
    let job = &parent.job;
    let Some(caller) = at_once(store.detail(caller))?.filter(|caller| caller.run.state.r#gen == job.r#gen) else {
        return Ok(());
    };
    let group = caller.groups.iter().find(|(group, _)| group.info.id == job.group);
    let task = group.and_then(|(_, tasks)| tasks.get(job.index as usize));
    match task.map(|task| task.state) {
        Some(TaskState::Parked) => Err(format!("I9: {} is over and {job} waits for it", child.run.info.id)),
        Some(TaskState::Done) if child.run.state.status != RunStatus::Succeeded => {
            Err(format!("I9: {job} succeeded and its run {} did not", child.run.info.id))
        }
        _ => Ok(()),
    }
}

/// A caller counts the children that are not over, and those of one that is over or stops
/// are over or stop too.
fn judge_caller(store: &MemoryStore, seen: &Seen, caller: RunId) -> Verdict {
    let Some(detail) = at_once(store.detail(caller))? else { return Ok(()) };
    let state = &detail.run.state;
    let children = seen.children.get(&caller).into_iter().flatten();
    let mut open = 0;
    for child in children {
        let Some(run) = at_once(store.run(*child))?.filter(|run| !run.state.status.is_terminal()) else { continue };
        open += 1;
        let stops = run.state.status == RunStatus::Cancelling || run.state.undoing;
        let wanted = detail.groups.iter().any(|(group, tasks)| {
            group.info.kind == TaskKind::Child
                && run.info.parent.as_ref().is_some_and(|parent| {
                    let task = tasks.get(parent.job.index as usize);
                    parent.job.group == group.info.id && task.is_some_and(|task| task.state == TaskState::Parked)
                })
        });
        let over = state.status.is_terminal() || state.status == RunStatus::Cancelling;
        if !stops && (over || !wanted) && state.leaving == 0 {
            return Err(format!("I9: {child} goes on, nobody waits for it in {caller}, {}", state.status.name()));
        }
    }
    if open == state.children {
        return Ok(());
    }
    Err(format!("I3: {caller} counts {} children and has {open}", state.children))
}
