//! The packed rows that transitions decide by, as the scripts write them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use baton_common::commit::NewTask;
use baton_common::ids::{ClaimRequest, DispatchSeq, Fence, Gen, GroupId, RunId, Seq, Version, WorkerId};
use baton_common::records::{
    Body, Group, GroupInfo, GroupPhase, GroupState, Interrupt, InterruptState, RunInfo, RunState, Signal, Task,
    TaskKind, TaskState, Terms,
};
use baton_common::tool::Effect;
use baton_common::{Digest, JobId, Timestamp};

use super::codes::{retry_letters, status_of};
use super::pack::{Fields, Packer, broken};
use super::words;
use crate::{Error, machine};

/// What a script must know of a run for good: body digest, thread, deadline, its root's thread
/// and its caller's task, the latter for children only.
pub(super) fn fixed_row(info: &RunInfo) -> Vec<u8> {
    let row = Packer::default().bytes(info.body_digest.0).bytes(info.thread.to_string()).moment_or_none(info.deadline);
    let Some(parent) = &info.parent else { return row.flag(false).flag(false).finish() };
    let JobId { run, r#gen, group, index } = &parent.job;
    let row = row.bytes(parent.root_thread.to_string()).list(4).bytes(run.uuid.simple().to_string());
    row.number(r#gen.0).bytes(group.to_string()).number(*index).finish()
}

/// When a task is over, its signal, and until when it waits; nothing for the most.
pub(super) fn terms_row(task: &NewTask) -> Option<Vec<u8>> {
    if task.at.is_none() && task.after_ms.is_none() && task.signal.is_none() {
        return None;
    }
    let row = Packer::default().moment_or_none(task.at);
    let row = match task.after_ms {
        Some(ms) => row.number(ms),
        None => row.flag(false),
    };
    Some(row.bytes_or_none(task.signal.as_deref()).flag(false).finish())
}

/// What a task waits for. What it needs is kept elsewhere.
pub(super) fn terms(row: &[u8]) -> Result<Terms, Error> {
    let mut fields = Fields::of(row)?;
    Ok(Terms {
        at: fields.moment_or_none()?,
        after_ms: fields.number_or_none()?,
        signal: fields.text_or_none()?,
        until: fields.moment_or_none()?,
        ..Terms::default()
    })
}

/// The indexes a staged task needs.
pub(super) fn needs(row: &[u8]) -> Result<Vec<u32>, Error> {
    let mut fields = Fields::of(row)?;
    let _ = fields.number()?;
    let (mut list, mut needs) = (fields.list()?, Vec::new());
    while !list.is_empty() {
        needs.push(list.small()?);
    }
    Ok(needs)
}

/// A signal of that number.
pub(super) fn signal(number: u64, row: &[u8]) -> Result<Signal, Error> {
    let mut fields = Fields::of(row)?;
    Ok(Signal {
        number,
        id: fields.text()?,
        name: fields.text()?,
        at: fields.moment()?,
        value: fields.text()?,
        taken: match fields.text_or_none()? {
            Some(job) => Some(job.parse().map_err(|_| broken("a job's id"))?),
            None => None,
        },
    })
}

/// How many indexes a task needs, and as staged, which.
pub(super) fn needs_row(task: &NewTask) -> Option<Vec<u8>> {
    if task.needs.is_empty() {
        return None;
    }
    let missing = task.needs.iter().collect::<BTreeSet<_>>().len();
    let row = Packer::default().number(u32::try_from(missing).unwrap_or(u32::MAX));
    let row = row.list(task.needs.len());
    Some(task.needs.iter().fold(row, |row, need| row.number(*need)).finish())
}

/// How attempts are made, and what is asked when a `once` job's worker is lost.
pub(super) fn policy_row(info: &GroupInfo) -> Vec<u8> {
    let policy = &info.policy;
    let question = (info.effect == Effect::Once).then(|| machine::bodies::outcome_unknown(&info.tool));
    Packer::default()
        .number(policy.attempts_max)
        .number(policy.backoff_min_ms)
        .number(policy.backoff_max_ms)
        .bytes(retry_letters(policy))
        .texts(policy.retry_codes.iter())
        .bytes_or_none(question)
        .finish()
}

/// A task nobody has touched: where it stands follows from its group's window.
pub(super) fn fresh_task_row(digest: Digest) -> Vec<u8> {
    let row = Packer::default().number(0_u32).number(0_u32).bytes(digest.0);
    row.number(0_u32).number(0_u32).number(0_u32).number(0_u32).bytes("").bytes("").number(0_u32).finish()
}

/// What changes about a run, and the ids of its groups in their order.
#[derive(Debug, Clone)]
pub(super) struct StateRow {
    pub(super) state: RunState,
    pub(super) groups: Vec<GroupId>,
}

pub(super) fn state_row(bytes: &[u8]) -> Result<StateRow, Error> {
    let mut fields = Fields::of(bytes)?;
    let mut state = RunState {
        status: status_of(fields.small()?)?,
        r#gen: Gen(fields.small()?),
        ver: Version(fields.number()?),
        head: Seq(fields.number()?),
        superstep: fields.number()?,
        created_at: fields.moment()?,
        ready_at: fields.moment()?,
        ended_at: fields.moment_or_none()?,
        last_op: digest_or_none(&fields.bytes()?)?,
        advance_attempts: fields.small()?,
        events: fields.number()?,
        closed: fields.small()?,
        detached_open: fields.small()?,
        base: Seq(0),
        resumed: false,
        awaiting: 0,
        waits: 0,
        children: 0,
        undoing: false,
        leaving: 0,
    };
    let mut groups = Vec::new();
    let mut list = fields.list()?;
    while !list.is_empty() {
        groups.push(list.text()?.parse().map_err(|_| broken("a group id"))?);
    }
    // Rows of the first landing end here.
    if !fields.is_empty() {
        state.base = Seq(fields.number()?);
        state.resumed = fields.flag()?;
        state.awaiting = fields.small()?;
    }
    if !fields.is_empty() {
        state.waits = fields.small()?;
        state.children = fields.small()?;
        state.undoing = fields.flag()?;
    }
    if !fields.is_empty() {
        state.leaving = fields.small()?;
    }
    Ok(StateRow { state, groups })
}

fn digest_or_none(bytes: &[u8]) -> Result<Option<Digest>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    <[u8; 16]>::try_from(bytes).map(|bytes| Some(Digest(bytes))).map_err(|_| broken("a digest"))
}

/// What changes about a group, and what its tasks' rows are read by.
#[derive(Debug, Clone)]
pub(super) struct GroupRow {
    pub(super) state: GroupState,
    pub(super) kind: u32,
    /// Tasks, inputs and results lie in keys of the group's own.
    pub(super) wide: bool,
    /// Indexes below it went when the group was opened.
    fresh: u32,
    /// How often it was opened again.
    epoch: u32,
    opened_at: Timestamp,
}

pub(super) fn group_row(bytes: &[u8]) -> Result<GroupRow, Error> {
    let mut fields = Fields::of(bytes)?;
    let phase = match fields.small()? {
        0 => GroupPhase::Open,
        1 => GroupPhase::Closed,
        2 => GroupPhase::Stopping,
        _ => GroupPhase::Dropped,
    };
    let mut state = GroupState {
        phase,
        next_held: fields.small()?,
        ok: fields.small()?,
        failed: fields.small()?,
        cancelled: fields.small()?,
        publishable: fields.small()?,
        at_work: fields.small()?,
        ..GroupState::default()
    };
    let kind = fields.small()?;
    let _count = fields.number()?;
    let _need_ok = fields.number()?;
    let _max_failed = fields.number()?;
    let _detached = fields.flag()?;
    let _effect = fields.number()?;
    let (wide, mut fresh, opened_at) = (fields.flag()?, fields.small()?, fields.moment()?);
    let _deadline = fields.moment_or_none()?;
    let mut epoch = 0;
    // Rows of the first landing end here.
    if !fields.is_empty() {
        let _undo = fields.flag()?;
        state.linked = fields.flag()?;
        let _extra = fields.flag()?;
        (fresh, epoch) = (fields.small()?, fields.small()?);
    }
    if !fields.is_empty() {
        state.settling = fields.flag()?;
        (state.left_from, state.left_until) = (fields.small()?, fields.small()?);
        state.closed_at = fields.moment_or_none()?;
    }
    Ok(GroupRow { state, kind, wide, fresh, epoch, opened_at })
}

/// A group from its text and its row.
pub(super) fn group(info: &[u8], row: &[u8]) -> Result<(Group, GroupRow), Error> {
    let info: Arc<GroupInfo> = json(info)?;
    let row = group_row(row)?;
    Ok((Group { info, state: row.state.clone() }, row))
}

pub(super) fn task_row(group: &GroupRow, index: u32, bytes: &[u8]) -> Result<Task, Error> {
    let mut fields = Fields::of(bytes)?;
    let (code, time) = (fields.small()?, fields.moment()?);
    let digest = Digest(fields.exactly()?);
    let fence = Fence(fields.number()?);
    let (mut app_attempts, mut infra_attempts) = (fields.small()?, fields.small()?);
    let mut dispatch_seq = DispatchSeq(fields.small()?);
    let (worker, request) = (fields.bytes()?, fields.bytes()?);
    // Rows of the first landing end here.
    let phase = if fields.is_empty() { 0 } else { fields.small()? };
    let epoch = if fields.is_empty() { 0 } else { fields.small()? };
    let mut trouble = if fields.is_empty() { None } else { fields.text_or_none()? };
    let mut state = match code {
        0 if index >= group.fresh => TaskState::Held,
        0 if group.kind == kind_code(TaskKind::Job) => {
            dispatch_seq = DispatchSeq(1);
            TaskState::Publishable { not_before: group.opened_at }
        }
        0 => TaskState::Parked,
        1 => TaskState::Held,
        2 => TaskState::Publishable { not_before: time },
        3 => TaskState::Dispatched { at: time },
        4 => TaskState::Claimed {
            lease_until: time,
            worker: WorkerId(whole_number(&worker)?),
            request: ClaimRequest(whole_number(&request)?),
        },
        5 => TaskState::Parked,
        6 => TaskState::OutcomeUnknown,
        7 => TaskState::Done,
        8 => TaskState::Failed,
        9 => TaskState::Cancelled,
        _ => return Err(broken("an unknown state of a task")),
    };
    // A group that was opened again holds what had not succeeded.
    if state != TaskState::Done && epoch != group.epoch {
        (state, app_attempts, infra_attempts, trouble) = (TaskState::Held, 0, 0, None);
    }
    Ok(Task { state, digest, fence, app_attempts, infra_attempts, dispatch_seq, phase, trouble })
}

fn whole_number(bytes: &[u8]) -> Result<u64, Error> {
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| broken("a value has another length"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// A question from its place (`group/index`), its row and its text.
pub(super) fn interrupt(run: RunId, place: &str, row: &[u8], question: Body) -> Result<Interrupt, Error> {
    let (group, index) = place.rsplit_once('/').ok_or_else(|| broken("a question's place"))?;
    let group = group.parse().map_err(|_| broken("a question's group"))?;
    let index = index.parse().map_err(|_| broken("a question's index"))?;
    let mut fields = Fields::of(row)?;
    let code = fields.small()?;
    let id = fields.text()?.parse().map_err(|_| broken("a question's id"))?;
    let job = JobId { run, r#gen: Gen(fields.small()?), group, index };
    let (opened_at, expires_at) = (fields.moment()?, fields.moment_or_none()?);
    let state = match code {
        0 => InterruptState::Open,
        1 => InterruptState::Answered {
            decision: fields.text()?,
            actor: fields.text()?.parse().map_err(|_| broken("an actor"))?,
            at: fields.moment()?,
        },
        2 => InterruptState::Expired,
        3 => InterruptState::Withdrawn,
        _ => return Err(broken("an unknown state of a question")),
    };
    Ok(Interrupt { id, job, state, opened_at, expires_at, question })
}

/// Whether a kind's indexes run on workers.
pub(super) fn kind_code(kind: TaskKind) -> u32 {
    match kind {
        TaskKind::Job => 0,
        TaskKind::Ask => 1,
        TaskKind::Wait => 2,
        TaskKind::Child => 3,
    }
}

/// A record kept as its JSON text, its words cut short or not.
pub(super) fn json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let text = words::whole(text).ok_or_else(|| broken("a text was cut short by a later program"))?;
    serde_json::from_slice(&text).map_err(|_| broken("a text is no such record"))
}

/// A record as its JSON text, for what scripts do not look into.
pub(super) fn to_short_json(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    Ok(words::shortened(&to_json(value)?).into_owned())
}

/// A record as its JSON text.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Broken(format!("a record cannot be written: {error}")))
}

/// A stored body as the text it is.
pub(super) fn body(bytes: Vec<u8>) -> Result<Body, Error> {
    String::from_utf8(bytes).map_err(|_| broken("a body is no UTF-8"))
}

/// A question, its words cut short or not.
pub(super) fn question(bytes: Vec<u8>) -> Result<Body, Error> {
    match words::whole(&bytes) {
        Some(Cow::Owned(text)) => body(text),
        Some(Cow::Borrowed(_)) => body(bytes),
        None => Err(broken("a question was cut short by a later program")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows only grow at their end: what an earlier program wrote reads as it did.
    #[test]
    fn rows_of_the_first_landing_are_read() {
        let group = Packer::default().number(0_u32).number(2_u32).number(0_u32).number(0_u32).number(0_u32);
        let group = group.number(2_u32).number(0_u32).number(0_u32).number(3_u32).number(3_u32).number(0_u32);
        let group = group.flag(false).number(1_u32).flag(false).number(2_u32).moment(7).flag(false).finish();
        let group = group_row(&group).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((group.state.next_held, group.state.publishable, group.state.linked), (2, 2, false));
        let row = Packer::default().number(0_u32).number(0_u32).bytes([1; 16]).number(0_u32).number(0_u32);
        let row = row.number(0_u32).number(0_u32).bytes("").bytes("").finish();
        let state = |index| task_row(&group, index, &row).map(|task| (task.state, task.dispatch_seq.0, task.phase));
        assert_eq!(state(1), Ok((TaskState::Publishable { not_before: Timestamp(7) }, 1, 0)));
        assert_eq!(state(2), Ok((TaskState::Held, 0, 0)));
    }
}
