//! The packed rows that transitions decide by, as the scripts write them.

use baton_common::ids::{ClaimRequest, DispatchSeq, Fence, Gen, GroupId, RunId, Seq, Version, WorkerId};
use baton_common::records::{
    Body, Group, GroupInfo, GroupPhase, GroupState, Interrupt, InterruptState, RunInfo, RunState, Task, TaskKind,
    TaskState,
};
use baton_common::tool::Effect;
use baton_common::{Digest, JobId, Timestamp};

use super::codes::{retry_letters, status_of};
use super::pack::{Fields, Packer, broken};
use crate::{Error, machine};

/// What a script must know of a run for good: body digest, thread, deadline.
pub(super) fn fixed_row(info: &RunInfo) -> Vec<u8> {
    Packer::default().bytes(info.body_digest.0).bytes(info.thread.to_string()).moment_or_none(info.deadline).finish()
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
    row.number(0_u32).number(0_u32).number(0_u32).number(0_u32).bytes("").bytes("").finish()
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
    pub(super) is_job: bool,
    /// Whether nothing of it starts any more: what is not at work is cancelled.
    stopped: bool,
    /// Tasks, inputs and results lie in keys of the group's own.
    pub(super) wide: bool,
    window: u32,
    opened_at: Timestamp,
}

pub(super) fn group_row(bytes: &[u8]) -> Result<GroupRow, Error> {
    let mut fields = Fields::of(bytes)?;
    let phase = if fields.small()? == 0 { GroupPhase::Open } else { GroupPhase::Closed };
    let state = GroupState {
        phase,
        next_held: fields.small()?,
        ok: fields.small()?,
        failed: fields.small()?,
        cancelled: fields.small()?,
        publishable: fields.small()?,
        at_work: fields.small()?,
        ..GroupState::default()
    };
    let is_job = fields.small()? == 0;
    let _count = fields.number()?;
    let _need_ok = fields.number()?;
    let _max_failed = fields.number()?;
    let _detached = fields.flag()?;
    let _effect = fields.number()?;
    let (wide, window, opened_at) = (fields.flag()?, fields.small()?, fields.moment()?);
    let _deadline = fields.moment_or_none()?;
    // Rows of the first landing end here.
    let stopped = !fields.is_empty() && fields.flag()?;
    Ok(GroupRow { state, is_job, stopped, wide, window, opened_at })
}

/// A group from its text and its row.
pub(super) fn group(info: &[u8], row: &[u8]) -> Result<(Group, GroupRow), Error> {
    let info: GroupInfo = json(info)?;
    let row = group_row(row)?;
    Ok((Group { info, state: row.state.clone() }, row))
}

pub(super) fn task_row(group: &GroupRow, index: u32, bytes: &[u8]) -> Result<Task, Error> {
    let mut fields = Fields::of(bytes)?;
    let (code, time) = (fields.small()?, fields.moment()?);
    let digest = Digest(fields.exactly()?);
    let fence = Fence(fields.number()?);
    let (app_attempts, infra_attempts) = (fields.small()?, fields.small()?);
    let mut dispatch_seq = DispatchSeq(fields.small()?);
    let state = match code {
        0 if !group.is_job => TaskState::Parked,
        0 if index < group.window => {
            dispatch_seq = DispatchSeq(1);
            TaskState::Publishable { not_before: group.opened_at }
        }
        0 | 1 => TaskState::Held,
        2 => TaskState::Publishable { not_before: time },
        3 => TaskState::Dispatched { at: time },
        4 => TaskState::Claimed {
            lease_until: time,
            worker: WorkerId(u64::from_be_bytes(fields.exactly()?)),
            request: ClaimRequest(u64::from_be_bytes(fields.exactly()?)),
        },
        5 => TaskState::Parked,
        6 => TaskState::OutcomeUnknown,
        7 => TaskState::Done,
        8 => TaskState::Failed,
        9 => TaskState::Cancelled,
        _ => return Err(broken("an unknown state of a task")),
    };
    // What a group that closed or stopped cancelled keeps its row.
    let at_work = matches!(state, TaskState::Claimed { .. });
    let over = group.state.phase == GroupPhase::Closed || group.stopped && !at_work;
    let state = if over && !state.is_ended() { TaskState::Cancelled } else { state };
    Ok(Task { state, digest, fence, app_attempts, infra_attempts, dispatch_seq, phase: 0 })
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

/// A record kept as its JSON text.
pub(super) fn json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|_| broken("a text is no such record"))
}

/// A record as its JSON text.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Broken(format!("a record cannot be written: {error}")))
}

/// A stored body as the text it is.
pub(super) fn body(bytes: Vec<u8>) -> Result<Body, Error> {
    String::from_utf8(bytes).map_err(|_| broken("a body is no UTF-8"))
}
