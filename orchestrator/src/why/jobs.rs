//! What the jobs of one activation wait for: a message, a worker, a lease, a pause. Wide groups
//! are told by their counters.

use std::collections::BTreeSet;

use baton_broker::JOB_QUEUES;
use baton_common::Timestamp;
use baton_common::ids::WorkerId;
use baton_common::records::{Group, GroupInfo, Task, TaskState};

use super::group::{indexes, only, under_way};
use super::{Facts, wait};
use crate::api::{Wait, WorkerView};

/// Workers that are named where none fits.
const WORKERS_SHOWN: usize = 3;

pub(super) fn explain(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Vec<Wait> {
    if tasks.is_empty() {
        return of_counters(facts, group);
    }
    let now = facts.now;
    let publishable = |task: &Task| matches!(task.state, TaskState::Publishable { .. });
    let late = |task: &Task| matches!(task.state, TaskState::Publishable { not_before } if not_before > now);
    let mut waits = Vec::new();
    waits.extend(claimed(facts, group, tasks));
    let dispatched = indexes(tasks, |task| matches!(task.state, TaskState::Dispatched { .. }));
    let since = tasks.iter().filter_map(|task| match task.state {
        TaskState::Dispatched { at } => Some(at),
        _ => None,
    });
    waits.extend(unclaimed(facts, group, count(&dispatched), since.min()).map(|wait| about(group, &dispatched, wait)));
    waits.extend(backoff(group, tasks, &indexes(tasks, late)));
    let unsent = indexes(tasks, |task| publishable(task) && !late(task));
    let since = tasks.iter().filter(|task| !late(task)).filter_map(|task| match task.state {
        TaskState::Publishable { not_before } => Some(not_before),
        _ => None,
    });
    waits.extend(unpublished(facts, group, count(&unsent), since.min()).map(|wait| about(group, &unsent, wait)));
    waits.extend(paused(facts, group, tasks));
    waits
}

/// Of a group whose tasks are not here.
fn of_counters(facts: &Facts<'_>, group: &Group) -> Vec<Wait> {
    let (node, all) = (group.info.id.node.to_string(), group.info.count);
    let (claimed, unsent) = (group.state.at_work, group.state.publishable);
    let mut waits = Vec::new();
    if claimed > 0 {
        waits.push(Wait { count: claimed, ..wait("claimed", &node, format!("{claimed} of {all} are at work")) });
    }
    let sent = under_way(group).saturating_sub(claimed + unsent);
    waits.extend(unclaimed(facts, group, sent, None));
    waits.extend(unpublished(facts, group, unsent, None));
    waits
}

fn about(group: &Group, found: &[u32], wait: Wait) -> Wait {
    Wait { item: only(group, found), ..wait }
}

fn count(found: &[u32]) -> u32 {
    u32::try_from(found.len()).unwrap_or(u32::MAX)
}

/// `3 jobs`, or `its job` where it is the only one.
fn jobs(group: &Group, count: u32) -> String {
    match (count, group.info.count) {
        (1, 1) => "its job".to_owned(),
        (1, all) => format!("1 of {all} jobs"),
        (many, all) => format!("{many} of {all} jobs"),
    }
}

fn claimed(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Option<Wait> {
    let node = group.info.id.node.to_string();
    let leases: Vec<(u32, &Task, Timestamp, WorkerId)> = (0_u32..)
        .zip(tasks)
        .filter_map(|(index, task)| match task.state {
            TaskState::Claimed { lease_until, worker, .. } => Some((index, task, lease_until, worker)),
            _ => None,
        })
        .collect();
    let (index, task, until, worker) = *leases.first()?;
    let since = facts.claims.get(&(group.info.id.clone(), index)).copied();
    let places: BTreeSet<String> = leases.iter().map(|(_, _, _, worker)| place(facts, *worker)).collect();
    let attempt = task.app_attempts + task.infra_attempts + 1;
    let text = if leases.len() == 1 {
        format!("worker {} has {}, attempt {attempt}", place(facts, worker), jobs(group, 1))
    } else {
        let names: Vec<&str> = places.iter().take(WORKERS_SHOWN).map(String::as_str).collect();
        let more = if places.len() > names.len() { ", …" } else { "" };
        let many = u32::try_from(leases.len()).unwrap_or(u32::MAX);
        format!("{} worker(s) have {}: {}{more}", places.len(), jobs(group, many), names.join(", "))
    };
    let found: Vec<u32> = leases.iter().map(|(index, ..)| *index).collect();
    let until = leases.iter().map(|(_, _, until, _)| *until).min().unwrap_or(until);
    let over = until < facts.now;
    let cure =
        if over { "its lease is over: it is handed out again at the next sweep".to_owned() } else { String::new() };
    Some(Wait {
        item: only(group, &found),
        count: count(&found),
        since,
        until: Some(until),
        worker: if leases.len() == 1 { worker.to_string() } else { String::new() },
        cure,
        ..wait("claimed", &node, text)
    })
}

/// A worker by host and process, or by its id where it is not there any more.
fn place(facts: &Facts<'_>, worker: WorkerId) -> String {
    let known = facts.around.workers.iter().find(|known| known.id == worker);
    known.map_or_else(|| format!("{worker}, which is gone,"), |known| known.place.clone())
}

/// Jobs that were published and that nobody took.
fn unclaimed(facts: &Facts<'_>, group: &Group, count: u32, since: Option<Timestamp>) -> Option<Wait> {
    if count == 0 {
        return None;
    }
    let (node, queue) = (group.info.id.node.to_string(), &group.info.queue);
    if let Some(wait) = nobody(facts, group, count) {
        return Some(Wait { count, since, ..wait });
    }
    let text = match facts.around.depths.get(queue) {
        // Workers take no messages while they are full.
        Some(Some(depth)) if depth.consumers == 0 => {
            let (ready, fitting) = (depth.ready, fitting(facts, group));
            format!(
                "{} dispatched to {queue}, which holds {ready} messages that nobody takes now: {fitting} workers for it \
                 are full, or have just gone",
                jobs(group, count)
            )
        }
        Some(Some(depth)) => {
            let (ready, consumers) = (depth.ready, depth.consumers);
            format!(
                "{} dispatched to {queue}, which holds {ready} messages for {consumers} workers",
                jobs(group, count)
            )
        }
        _ => format!("{} dispatched to {queue}", jobs(group, count)),
    };
    Some(Wait { count, since, ..wait("queued", &node, text) })
}

/// Jobs that are to be published.
fn unpublished(facts: &Facts<'_>, group: &Group, count: u32, since: Option<Timestamp>) -> Option<Wait> {
    if count == 0 {
        return None;
    }
    let (node, queue) = (group.info.id.node.to_string(), &group.info.queue);
    if let Some(wait) = nobody(facts, group, count) {
        return Some(Wait { count, since, ..wait });
    }
    let text = format!("{} to be published to {queue}, or not confirmed yet", jobs(group, count));
    Some(Wait { count, since, ..wait("publish", &node, text) })
}

/// Where no worker could take a job of the group.
fn nobody(facts: &Facts<'_>, group: &Group, count: u32) -> Option<Wait> {
    let (node, info) = (group.info.id.node.to_string(), &group.info);
    let (queue, tool, major) = (&info.queue, &info.tool, info.tool_major);
    let workers = &facts.around.workers;
    let jobs = jobs(group, count);
    let depth = facts.around.depths.get(queue);
    if matches!(depth, Some(None)) {
        let cure = format!("start a worker that consumes from {queue}: it declares the queue");
        return Some(Wait {
            cure,
            ..wait("unroutable", &node, format!("{jobs} for queue {queue}, which does not exist"))
        });
    }
    if !workers.is_empty() && !workers.iter().any(|worker| knows(worker, info)) {
        let text =
            format!("{jobs} for tool {tool}@{major}, which no worker has announced; there are: {}", there(facts));
        let cure = format!("start a worker with {tool}");
        return Some(Wait { cure, ..wait("no_worker", &node, text) });
    }
    if matches!(depth, Some(Some(depth)) if depth.consumers == 0) && fitting(facts, group) == 0 {
        let text = format!("{jobs} in queue {queue} and no worker on it; there are: {}", there(facts));
        let cure = format!("start a worker for {queue}");
        return Some(Wait { cure, ..wait("no_worker", &node, text) });
    }
    None
}

/// Whether it has announced the tool of the group.
fn knows(worker: &WorkerView, info: &GroupInfo) -> bool {
    worker.tools.iter().any(|known| known.name == info.tool && known.major == info.tool_major)
}

/// Workers that could take a job of the group, whether they have room now or not. Who has a tool
/// that names a capability is taken to serve it.
fn fitting(facts: &Facts<'_>, group: &Group) -> usize {
    let info = &group.info;
    let shared = JOB_QUEUES.contains(&info.queue.as_str());
    let fits = |worker: &&WorkerView| knows(worker, info) && (!shared || worker.class == info.class);
    facts.around.workers.iter().filter(fits).count()
}

/// Which workers there are.
fn there(facts: &Facts<'_>) -> String {
    let workers = &facts.around.workers;
    if workers.is_empty() {
        return "none".to_owned();
    }
    let shown = workers.iter().take(WORKERS_SHOWN);
    let shown: Vec<String> = shown
        .map(|worker| format!("{} ({}, {} tools)", worker.place, worker.class.name(), worker.tools.len()))
        .collect();
    let more = workers.len().saturating_sub(WORKERS_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

/// Jobs that are tried again later.
fn backoff(group: &Group, tasks: &[Task], late: &[u32]) -> Option<Wait> {
    let of = |index: &u32| usize::try_from(*index).ok().and_then(|index| tasks.get(index));
    let at = |task: &Task| match task.state {
        TaskState::Publishable { not_before } => not_before,
        _ => Timestamp(i64::MAX),
    };
    let next = late.iter().filter_map(of).min_by_key(|task| at(task))?;
    let (made, most) = (next.app_attempts, group.info.policy.attempts_max);
    let mut text = format!("{} tried again", jobs(group, count(late)));
    text += &match (made, next.infra_attempts) {
        (0, 0) => " later: they were not begun".to_owned(),
        (0, lost) => format!(" after {lost} lost worker(s)"),
        (made, 0) => format!(" after attempt {made} of {most}"),
        (made, lost) => format!(" after attempt {made} of {most} and {lost} lost worker(s)"),
    };
    if let Some((class, code)) = next.trouble.as_deref().and_then(|trouble| trouble.split_once(' ')) {
        text += &format!(": {class}, {code}");
    }
    let node = group.info.id.node.to_string();
    Some(Wait { item: only(group, late), count: count(late), until: Some(at(next)), ..wait("backoff", &node, text) })
}

/// Jobs that asked to be called again later; those that asked a person are told as questions.
fn paused(facts: &Facts<'_>, group: &Group, tasks: &[Task]) -> Option<Wait> {
    let node = group.info.id.node.to_string();
    let asks = |index: u32| {
        let asked = facts.detail.interrupts.iter();
        let mut open = asked.filter(|asked| asked.state == baton_common::records::InterruptState::Open);
        open.any(|asked| asked.job.group == group.info.id && asked.job.index == index)
    };
    let mut parked = indexes(tasks, |task| task.state == TaskState::Parked);
    parked.retain(|index| !asks(*index));
    if parked.is_empty() {
        return None;
    }
    let until = parked.iter().filter_map(|index| facts.timers.get(&(group.info.id.clone(), *index))).min().copied();
    let text = format!("{} called again after a pause", jobs(group, count(&parked)));
    Some(Wait { item: only(group, &parked), count: count(&parked), until, ..wait("pause", &node, text) })
}
