//! What one activation of a node waits for: waits and called runs here, jobs in `jobs`.

use baton_common::records::{Group, Task, TaskKind, TaskState};
use baton_common::{JobId, RunId};

use super::{Facts, jobs, wait};
use crate::api::Wait;

/// Names of signals that are told of one group.
const SIGNALS_SHOWN: usize = 3;

pub(super) fn explain(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Vec<Wait> {
    match group.info.kind {
        TaskKind::Job => jobs::explain(facts, group, tasks),
        // Its questions are told one by one.
        TaskKind::Ask => Vec::new(),
        TaskKind::Wait => waiting(facts, group, tasks).into_iter().collect(),
        TaskKind::Child => called(facts, group, tasks).into_iter().collect(),
    }
}

/// Indexes that stand so, as far as tasks are known.
pub(super) fn indexes(tasks: &[Task], wanted: impl Fn(&Task) -> bool) -> Vec<u32> {
    (0_u32..).zip(tasks).filter(|(_, task)| wanted(task)).map(|(index, _)| index).collect()
}

/// How many of a group have begun and not ended.
pub(super) fn under_way(group: &Group) -> u32 {
    group.state.next_held.min(group.info.count).saturating_sub(group.state.ended())
}

/// The one index it is about, where that says something.
pub(super) fn only(group: &Group, found: &[u32]) -> Option<u32> {
    match found {
        [index] if group.info.count > 1 => Some(*index),
        _ => None,
    }
}

fn waiting(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Option<Wait> {
    let node = group.info.id.node.to_string();
    let parked = indexes(tasks, |task| task.state == TaskState::Parked);
    let count = if tasks.is_empty() { under_way(group) } else { u32::try_from(parked.len()).unwrap_or(u32::MAX) };
    if count == 0 {
        return None;
    }
    let place = |index: &u32| (group.info.id.clone(), *index);
    let mut names: Vec<&str> =
        parked.iter().filter_map(|index| facts.signals.get(&place(index))).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let until = parked.iter().filter_map(|index| facts.timers.get(&place(index))).min().copied();
    let (code, text) = if names.is_empty() {
        (
            "time",
            if count == 1 {
                "a time that is still to come".to_owned()
            } else {
                format!("{count} times that are still to come")
            },
        )
    } else {
        let shown = names[..names.len().min(SIGNALS_SHOWN)].join(", ");
        let more = if names.len() > SIGNALS_SHOWN { ", …" } else { "" };
        ("signal", format!("the signal{} {shown}{more}", if names.len() > 1 { "s" } else { "" }))
    };
    let cure = if code == "signal" {
        format!("baton signal {} {}", facts.detail.run.info.signals_to().thread, names.first().unwrap_or(&""))
    } else {
        String::new()
    };
    Some(Wait { item: only(group, &parked), count, until, cure, ..wait(code, &node, text) })
}

fn called(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Option<Wait> {
    let node = group.info.id.node.to_string();
    let parked = indexes(tasks, |task| task.state == TaskState::Parked);
    let count = if tasks.is_empty() { group.state.at_work } else { u32::try_from(parked.len()).unwrap_or(u32::MAX) };
    if count == 0 {
        return None;
    }
    let run = first_child(facts.detail.run.info.id, facts, group, parked.first().copied());
    let which = match (count, run) {
        (1, Some(run)) => format!("run {run} of a graph it called"),
        (_, Some(run)) => format!("{count} runs of a graph it called, {run} among them"),
        (_, None) => format!("{count} runs of a graph it called"),
    };
    let text = match &facts.leaf {
        Some(leaf) => format!("{which}: {leaf}"),
        None => which,
    };
    Some(Wait { item: only(group, &parked), count, run, ..wait("graph", &node, text) })
}

fn first_child(run: RunId, facts: &Facts<'_>, group: &Group, index: Option<u32>) -> Option<RunId> {
    let r#gen = facts.detail.run.state.r#gen;
    index.map(|index| RunId::for_child(&JobId { run, r#gen, group: group.info.id.clone(), index }))
}
