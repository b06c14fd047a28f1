//! What the scripts answer, as the transitions' replies.

use baton_common::ids::{DispatchSeq, InterruptId};
use baton_common::job::RenewAnswer;
use baton_common::records::DueKey;
use baton_common::transition::{
    AdvanceAnswer, AnswerVerdict, CancelAnswer, Claim, ClaimVerdict, Closed, ClosedGroup, DeadAnswer, DeliverAnswer,
    Due, DuePage, EditAnswer, ExpireAnswer, FireAnswer, Granted, KeepScheduleAnswer, Op, PruneAnswer, Publishable,
    RecordVerdict, RepinAnswer, Reply, ReserveAnswer, RetryAnswer, SignalAnswer, SubmitAnswer, Tail,
};
use baton_common::{Fence, Gen, JobId, Partition, RunId, Seq, Version};

use super::commands::Guess;
use super::history;
use super::pack::{Fields, broken};
use super::rows;
use crate::Error;

/// The reply to a transition.
pub(super) fn reply(op: &Op, bytes: &[u8]) -> Result<Reply, Error> {
    let mut fields = Fields::of(bytes)?;
    let fields = &mut fields;
    Ok(match op {
        Op::Submit(_) => Reply::Submit(submit(fields)?),
        Op::Advance(op) => Reply::Advance(advance(op.run, fields)?),
        Op::Claim(op) => Reply::Claim(claim(op, fields)?),
        Op::Renew(_) => Reply::Renew(renew(fields)?),
        Op::Record(op) => Reply::Record(record(&op.job, fields)?),
        Op::Expire(op) => Reply::Expire(expire(&op.job, fields)?),
        Op::Answer(op) => Reply::Answer(answer(op.job.run, fields)?),
        Op::Cancel(_) => Reply::Cancel(cancel(fields)?),
        Op::Fire(op) => Reply::Fire(match fields.text()?.as_str() {
            "kept" => FireAnswer::Kept,
            "fired" => FireAnswer::Fired(tail(op.run, fields)?),
            other => return Err(unknown(other)),
        }),
        Op::PopDue(op) => Reply::PopDue(pop_due(op.partition, fields)?),
        Op::Stage(_)
        | Op::Mark(_)
        | Op::Extend { .. }
        | Op::Park { .. }
        | Op::Unpark { .. }
        | Op::Republish(_)
        | Op::Recheck { .. }
        | Op::Settle(_)
        | Op::Heard { .. }
        | Op::Force { .. }
        | Op::Gc { .. } => Reply::Changed(fields.flag()?),
        Op::Prune(_) => Reply::Prune(prune(fields)?),
        Op::Signal(op) => Reply::Signal(signal(op.thread.partition(), fields)?),
        Op::Deliver(op) => Reply::Deliver(match fields.text()?.as_str() {
            "taken" => DeliverAnswer::Taken(tail(op.job.run, fields)?),
            "gone" => DeliverAnswer::Gone,
            other => return Err(unknown(other)),
        }),
        Op::Edit(_) => Reply::Edit(match fields.text()?.as_str() {
            "edited" => EditAnswer::Edited { ver: fields.number_or_none()?.map(Version) },
            "already" => EditAnswer::Already,
            "conflict" => EditAnswer::Conflict { head: Seq(fields.number()?) },
            "unknown" => EditAnswer::Unknown,
            other => return Err(unknown(other)),
        }),
        Op::Retry(op) => Reply::Retry(match fields.text()?.as_str() {
            "retried" => RetryAnswer::Retried(tail(op.run, fields)?),
            "already" => RetryAnswer::Already,
            "refused" => RetryAnswer::Refused,
            "gone" => RetryAnswer::Gone,
            "busy" => RetryAnswer::Busy,
            "unknown" => RetryAnswer::Unknown,
            other => return Err(unknown(other)),
        }),
        Op::Dead(op) => Reply::Dead(match fields.text()?.as_str() {
            "done" => DeadAnswer::Done(tail(op.job.run, fields)?),
            "refused" => DeadAnswer::Refused,
            "unknown" => DeadAnswer::Unknown,
            other => return Err(unknown(other)),
        }),
        Op::Repin(_) => Reply::Repin(match fields.text()?.as_str() {
            "repinned" => RepinAnswer::Repinned { ver: Version(fields.number()?) },
            "already" => RepinAnswer::Already,
            "conflict" => RepinAnswer::Conflict { ver: Version(fields.number()?) },
            "terminal" => RepinAnswer::Terminal,
            "unknown" => RepinAnswer::Unknown,
            other => return Err(unknown(other)),
        }),
        Op::Reserve(_) => Reply::Reserve(reserve(fields)?),
        Op::KeepSchedule(_) => Reply::KeepSchedule(keep_schedule(fields)?),
    })
}

fn reserve(fields: &mut Fields) -> Result<ReserveAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "free" => ReserveAnswer::Free,
        "done" => ReserveAnswer::Done(fields.text()?),
        "busy" => ReserveAnswer::Busy(fields.moment()?),
        other => return Err(unknown(other)),
    })
}

fn keep_schedule(fields: &mut Fields) -> Result<KeepScheduleAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "kept" => KeepScheduleAnswer::Kept { rev: fields.number()? },
        "already" => KeepScheduleAnswer::Already { rev: fields.number()? },
        "conflict" => KeepScheduleAnswer::Conflict { rev: fields.number_or_none()? },
        other => return Err(unknown(other)),
    })
}

/// What a script knows better than its command did; nothing where it did what it was told.
pub(super) fn better_guess(op: &Op, bytes: &[u8], guess: &Guess) -> Result<Option<Guess>, Error> {
    let mut fields = Fields::of(bytes)?;
    // An answer that is no word at all is no guess.
    let word = fields.text().unwrap_or_default();
    Ok(match (word.as_str(), op) {
        ("gen", Op::Advance(_)) => Some(Guess { generation: Gen(fields.small()?), ..guess.clone() }),
        ("phase", Op::Claim(_) | Op::Record(_) | Op::Expire(_)) => {
            Some(Guess { phase: fields.small()?, ..guess.clone() })
        }
        ("more", Op::Claim(_) | Op::Record(_) | Op::Advance(_)) => Some(Guess { more: true, ..guess.clone() }),
        ("names", Op::Retry(op)) => {
            let (mut list, mut names) = (fields.list()?, guess.names.clone());
            while !list.is_empty() {
                let mut wanted = list.list()?;
                let (group, asks, count) = (wanted.text()?, wanted.flag()?, wanted.small()?);
                names.push((group.clone(), history::names(op, &group, asks, count)?));
            }
            Some(Guess { names, ..guess.clone() })
        }
        _ => None,
    })
}

fn unknown(code: &str) -> Error {
    broken(&format!("an unknown answer {code:.20}"))
}

fn prune(fields: &mut Fields) -> Result<PruneAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "gone" => PruneAnswer::Gone,
        "kept" => PruneAnswer::Kept,
        "may" => PruneAnswer::May { from: Seq(fields.number()?), bound: Seq(fields.number()?) },
        "pruned" => PruneAnswer::Pruned { more: fields.flag()? },
        other => return Err(unknown(other)),
    })
}

fn submit(fields: &mut Fields) -> Result<SubmitAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "accepted" => SubmitAnswer::Accepted,
        "queued" => SubmitAnswer::Queued,
        "exists" => SubmitAnswer::Exists,
        "conflict" => SubmitAnswer::Conflict,
        "busy" => SubmitAnswer::Busy,
        "gone" => SubmitAnswer::Gone,
        other => return Err(unknown(other)),
    })
}

fn advance(run: RunId, fields: &mut Fields) -> Result<AdvanceAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "advanced" => AdvanceAnswer::Advanced {
            ver: Version(fields.number()?),
            again: fields.flag()?,
            next: match fields.text_or_none()? {
                Some(uuid) => Some(run_of(run.partition, &uuid)?),
                None => None,
            },
            children: runs(run.partition, fields)?,
            parent: match fields.text_or_none()? {
                Some(uuid) => {
                    let parent = run_of(run.partition, &uuid)?;
                    Some(Box::new((parent, tail(parent, fields)?)))
                }
                None => None,
            },
        },
        "already" => AdvanceAnswer::Already { ver: Version(fields.number()?) },
        "terminal" => AdvanceAnswer::Terminal,
        "conflict" => AdvanceAnswer::Conflict,
        "incomplete" => AdvanceAnswer::Incomplete,
        other => return Err(unknown(other)),
    })
}

/// The run of that uuid in a partition.
pub(super) fn run_of(partition: Partition, uuid: &str) -> Result<RunId, Error> {
    let uuid = uuid::Uuid::parse_str(uuid).map_err(|_| broken("a run's uuid"))?;
    Ok(RunId { partition, uuid })
}

fn claim(op: &Claim, fields: &mut Fields) -> Result<ClaimVerdict, Error> {
    Ok(match fields.text()?.as_str() {
        "granted" => ClaimVerdict::Granted(Box::new(Granted {
            fence: Fence(fields.number()?),
            attempt: fields.small()?,
            lease_until: fields.moment()?,
            group: rows::json(&fields.bytes()?)?,
            body: fields.text()?,
            continued: fields.text_or_none()?,
        })),
        "unknown" => ClaimVerdict::Unknown,
        "run_terminal" => ClaimVerdict::RunTerminal,
        "stale" => ClaimVerdict::Stale,
        "done" => ClaimVerdict::Done,
        "busy" => ClaimVerdict::Busy,
        "outcome_unknown" => ClaimVerdict::OutcomeUnknown,
        "poison" => ClaimVerdict::Poison(Box::new(tail(op.job.run, fields)?)),
        other => return Err(unknown(other)),
    })
}

fn renew(fields: &mut Fields) -> Result<Vec<RenewAnswer>, Error> {
    let mut list = fields.list()?;
    let mut answers = Vec::new();
    while !list.is_empty() {
        if list.moment_next() {
            answers.push(RenewAnswer::Held(list.moment()?));
            continue;
        }
        answers.push(match list.text()?.as_str() {
            "lost" => RenewAnswer::Lost,
            "cancel" => RenewAnswer::Cancel,
            other => return Err(unknown(other)),
        });
    }
    Ok(answers)
}

fn record(job: &JobId, fields: &mut Fields) -> Result<RecordVerdict, Error> {
    Ok(match fields.text()?.as_str() {
        "ok" => RecordVerdict::Ok(tail(job.run, fields)?),
        "retry" => RecordVerdict::Retry { at: fields.moment()? },
        "parked" => RecordVerdict::Parked {
            interrupt: match fields.text_or_none()? {
                Some(id) => Some(interrupt_id(&id)?),
                None => None,
            },
        },
        "duplicate" => RecordVerdict::Duplicate,
        "stale" => RecordVerdict::Stale,
        "stale_fence" => RecordVerdict::StaleFence,
        "run_terminal" => RecordVerdict::RunTerminal,
        "unknown" => RecordVerdict::Unknown,
        other => return Err(unknown(other)),
    })
}

fn expire(job: &JobId, fields: &mut Fields) -> Result<ExpireAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "kept" => ExpireAnswer::Kept,
        "again" => ExpireAnswer::Again { at: fields.moment()? },
        "outcome_unknown" => ExpireAnswer::OutcomeUnknown(interrupt_id(&fields.text()?)?),
        "ended" => ExpireAnswer::Ended(tail(job.run, fields)?),
        other => return Err(unknown(other)),
    })
}

fn answer(run: RunId, fields: &mut Fields) -> Result<AnswerVerdict, Error> {
    Ok(match fields.text()?.as_str() {
        "ok" => AnswerVerdict::Ok(tail(run, fields)?),
        "already" => AnswerVerdict::Already,
        "conflict" => AnswerVerdict::Conflict { recorded: fields.text()? },
        "expired" => AnswerVerdict::Expired,
        "withdrawn" => AnswerVerdict::Withdrawn,
        "terminal" => AnswerVerdict::Terminal,
        "unknown" => AnswerVerdict::Unknown,
        other => return Err(unknown(other)),
    })
}

fn interrupt_id(text: &str) -> Result<InterruptId, Error> {
    text.parse().map_err(|_| broken("a question's id"))
}

fn signal(partition: Partition, fields: &mut Fields) -> Result<SignalAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "kept" => SignalAnswer::Kept { number: fields.number()?, awaiting: runs(partition, fields)? },
        "already" => SignalAnswer::Already,
        "full" => SignalAnswer::Full,
        "unknown" => SignalAnswer::Unknown,
        other => return Err(unknown(other)),
    })
}

fn cancel(fields: &mut Fields) -> Result<CancelAnswer, Error> {
    Ok(match fields.text()?.as_str() {
        "cancelling" => CancelAnswer::Cancelling,
        "already" => CancelAnswer::Already,
        "terminal" => CancelAnswer::Terminal,
        "unknown" => CancelAnswer::Unknown,
        other => return Err(unknown(other)),
    })
}

pub(super) fn pop_due(partition: Partition, fields: &mut Fields) -> Result<DuePage, Error> {
    let (now, next) = (fields.moment()?, fields.moment_or_none()?);
    let mut list = fields.list()?;
    let mut due = Vec::new();
    while !list.is_empty() {
        let mut entry = list.list()?;
        let member = entry.text()?;
        let key = DueKey::parse(partition, &member).ok_or_else(|| broken("a due entry"))?;
        due.push(Due { key, attempts: entry.small()? });
    }
    Ok(DuePage { due, next, now })
}

/// What the end of a task of that run led to: the run's generation, what was released, what
/// closed, and which runs became ready.
fn tail(run: RunId, fields: &mut Fields) -> Result<Tail, Error> {
    let mut tail = fields.list()?;
    let generation = Gen(tail.small()?);
    let (mut list, mut released) = (tail.list()?, Vec::new());
    while !list.is_empty() {
        let mut task = list.list()?;
        let group = task.text()?.parse().map_err(|_| broken("a group id"))?;
        let job = JobId { run, r#gen: generation, group, index: task.small()? };
        released.push(Publishable { job, seq: DispatchSeq(task.small()?) });
    }
    let closed = closed(&mut tail)?.map(Box::new);
    Ok(Tail { released, closed, ready: runs(run.partition, &mut tail)? })
}

/// Runs of a partition.
fn runs(partition: Partition, fields: &mut Fields) -> Result<Vec<RunId>, Error> {
    let (mut list, mut runs) = (fields.list()?, Vec::new());
    while !list.is_empty() {
        runs.push(run_of(partition, &list.text()?)?);
    }
    Ok(runs)
}

fn closed(fields: &mut Fields) -> Result<Option<Closed>, Error> {
    let Some(mut closed) = fields.list_or_none()? else { return Ok(None) };
    let run = rows::state_row(&closed.bytes()?)?.state;
    let mut list = closed.list()?;
    let mut groups = Vec::new();
    while !list.is_empty() {
        let mut entry = list.list()?;
        let (group, _) = rows::group(&entry.bytes()?, &entry.bytes()?)?;
        let outcomes = match entry.list_or_none()? {
            Some(mut bodies) => {
                let mut outcomes = Vec::new();
                while !bodies.is_empty() {
                    outcomes.push(bodies.text_or_none()?);
                }
                Some(outcomes)
            }
            None => None,
        };
        groups.push(ClosedGroup { info: group.info, state: group.state, outcomes });
    }
    Ok(Some(Closed { run, groups }))
}
