//! ADVANCE as its script takes it: rows and fields ready to be written.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::commit::{Commit, NewGroup, NewTask};
use baton_common::ids::InterruptId;
use baton_common::records::TaskKind;
use baton_common::transition::NARROW_TASKS_MAX;
use baton_common::{Gen, JobId, RunId};

use super::codes::{effect_code, status_code};
use super::commands::{Guess, run};
use super::pack::Packer;
use super::rows::{fresh_task_row, kind_code, needs_row, policy_row, terms_row, to_short_json};
use super::scripts::Script;
use super::{history, words};
use crate::Error;

/// The generation a commit speaks of; its script says when it is another.
pub(super) fn generation(op: &Commit) -> Gen {
    op.checkpoints.first().map_or(Gen(0), |checkpoint| checkpoint.r#gen)
}

/// Most advances need few of the scripts' parts.
pub(super) fn script(op: &Commit, more: bool) -> Script {
    let plain = |new: &NewGroup| {
        let jobs = new.info.kind == TaskKind::Job && !new.tasks.is_empty();
        jobs && new.tasks.iter().all(|task| task.needs.is_empty())
    };
    let few = op.end.is_none() && !op.undoing && op.cancelled.is_empty() && op.staged == 0;
    if few && !more && op.open.iter().all(plain) { Script::Advance } else { Script::AdvanceMore }
}

pub(super) fn command(op: &Commit, guess: &Guess) -> Result<Vec<u8>, Error> {
    let generation = guess.generation;
    let mut packer = run(op.run)
        .number(op.seen.0)
        .bytes(op.op.0)
        .bytes(format!("{}:", op.op))
        .number(generation.0)
        .texts(op.consumed.iter().map(ToString::to_string).collect::<Vec<_>>().iter())
        .texts(op.cancelled.iter().map(ToString::to_string).collect::<Vec<_>>().iter());
    packer = match op.checkpoints.first() {
        Some(first) => packer.number(first.parent.0),
        None => packer.flag(false),
    };
    packer = match op.checkpoints.last() {
        Some(last) => packer.number(last.seq.0),
        None => packer.flag(false),
    };
    packer = data(packer, op)?;
    packer = packer.list(op.open.len());
    for new in &op.open {
        packer = group(packer, op.run, generation, new)?;
    }
    packer = packer.number(op.staged).flag(op.undoing);
    packer = match &op.end {
        Some(end) => packer
            .list(3)
            .number(status_code(end.status))
            .bytes(end.status.name())
            .bytes(serde_json::to_string(end).unwrap_or_default()),
        None => packer.flag(false),
    };
    let packer = packer.flag(script(op, guess.more) == Script::AdvanceMore);
    let packer = packer.bytes_or_none(op.after.map(|after| after.0)).list(op.closed_at.len());
    Ok(op.closed_at.iter().fold(packer, |packer, at| packer.moment(at.0)).finish())
}

/// Fields of the thread's data, then its channels with the checkpoint that wrote each last.
fn data(packer: Packer, op: &Commit) -> Result<Packer, Error> {
    let packer = history::data(packer, &op.checkpoints, &op.segments)?;
    let written = op.checkpoints.iter().flat_map(|it| it.writes.keys().map(|channel| (channel, it.seq)));
    Ok(history::channels(packer, written))
}

/// A group: what decides about it, the rows, bodies, terms and needs of its tasks, the ids of
/// its questions.
fn group(packer: Packer, run: RunId, generation: Gen, new: &NewGroup) -> Result<Packer, Error> {
    let info = &new.info;
    let wide = new.tasks.is_empty() || info.count > NARROW_TASKS_MAX;
    let linked = new.tasks.iter().any(|task| !task.needs.is_empty());
    let terms = new.tasks.iter().any(|task| terms_row(task).is_some());
    let packer = packer
        .list(18)
        .bytes(info.id.to_string())
        .number(kind_code(info.kind))
        .number(info.count)
        .number(info.need_ok)
        .number(info.max_failed)
        .flag(info.detached)
        .number(effect_code(info.effect))
        .flag(info.undo)
        .flag(wide)
        .flag(linked)
        .flag(linked || terms)
        .number(info.window.clamp(1, info.count))
        .moment_or_none(info.deadline)
        .bytes(&info.tool);
    let packer = tasks(packer, new, wide);
    let policy = (info.kind != TaskKind::Ask).then(|| policy_row(info));
    let ids = (info.kind == TaskKind::Ask).then(|| question_ids(run, generation, new));
    Ok(packer.bytes_or_none(ids).bytes(to_short_json(info)?).bytes_or_none(policy))
}

/// Five lists of names and values: rows, bodies, terms, needs and who needs each. The names are
/// fields of the run's rows for a narrow group, indexes for a wide one.
fn tasks(packer: Packer, new: &NewGroup, wide: bool) -> Packer {
    let id = &new.info.id;
    let list = |packer: Packer, letter: &str, values: Vec<(u32, Vec<u8>)>| {
        let packer = packer.list(values.len() * 2);
        values.into_iter().fold(packer, |packer, (index, value)| {
            let packer = if wide { packer.number(index) } else { packer.bytes(format!("{letter}{id}/{index}")) };
            packer.bytes(value)
        })
    };
    let each = |row: &dyn Fn(&NewTask) -> Option<Vec<u8>>| {
        (0_u32..).zip(&new.tasks).filter_map(|(index, task)| Some((index, row(task)?))).collect()
    };
    let packer = list(packer.list(5), "t", each(&|task| Some(fresh_task_row(task.digest))));
    let body = |task: &NewTask| match new.info.kind {
        TaskKind::Ask if !wide => words::shortened(&task.body).into_owned(),
        _ => task.body.clone().into_bytes(),
    };
    let packer = list(packer, "i", each(&|task| Some(body(task))));
    let packer = list(packer, "h", each(&terms_row));
    let packer = list(packer, "u", each(&needs_row));
    list(packer, "n", needed_by(new))
}

/// For each index the ones that need it, four bytes each.
fn needed_by(new: &NewGroup) -> Vec<(u32, Vec<u8>)> {
    let mut needed: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for (index, task) in (0_u32..).zip(&new.tasks) {
        for need in task.needs.iter().copied().collect::<BTreeSet<_>>() {
            needed.entry(need).or_default().extend(index.to_le_bytes());
        }
    }
    needed.into_iter().collect()
}

/// The ids of all questions of a group of asks, 32 digits each.
fn question_ids(run: RunId, generation: Gen, new: &NewGroup) -> String {
    let mut job = JobId { run, r#gen: generation, group: new.info.id.clone(), index: 0 };
    let mut ids = String::new();
    for index in 0..new.info.count {
        job.index = index;
        ids.push_str(&InterruptId::of(&job, 0).to_string());
    }
    ids
}
