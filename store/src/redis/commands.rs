//! Transitions as the scripts take them. What the machine makes in Rust goes along: the
//! ids of questions, the outcomes the store writes itself, the jitter of a backoff.

use baton_common::JobId;
use baton_common::commit::NewTask;
use baton_common::ids::InterruptId;
use baton_common::records::{RunInfo, trouble};
use baton_common::settings::Timings;
use baton_common::transition::{
    Answer, Claim, Dead, Deliver, Expire, Fire, KeyName, Mark, OnBusy, Op, PopDue, Prune, Record, Recorded, Renew,
    Republish, Reserve, Settle, Signal, Stage, Submit,
};
use baton_common::{ErrorClass, Gen};

use super::codes::class_letter;
use super::pack::Packer;
use super::rows::{fixed_row, fresh_task_row, needs_row, terms_row};
use super::scripts::Script;
use super::{advance, history, info, schedules};
use crate::Error;
use crate::machine::bodies;

/// What a script is told that only its rows know for sure; it says where that is wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Guess {
    /// The run's generation.
    pub(super) generation: Gen,
    /// The job's phase, or one that is close below.
    pub(super) phase: u32,
    /// Whether it takes the script with all parts.
    pub(super) more: bool,
    /// For groups of asks or children: the ids of their questions, or the uuids of their runs.
    pub(super) names: Vec<(String, String)>,
}

/// Phases whose questions' ids go along.
const PHASES: u32 = 3;

/// The script and the command of a transition.
pub(super) fn command(op: &Op, timings: &Timings, guess: &Guess) -> Result<(Script, Vec<u8>), Error> {
    Ok(match op {
        Op::Submit(op) => (Script::Submit, submit(op)?),
        Op::Stage(op) => (Script::Stage, stage(op)),
        Op::Advance(op) => (advance::script(op, guess.more), advance::command(op, guess)?),
        Op::Mark(op) => (Script::Mark, mark(op)),
        Op::Claim(op) if guess.more => (Script::ClaimMore, claim(op, timings, guess)),
        Op::Claim(op) => (Script::Claim, claim(op, timings, guess)),
        Op::Renew(op) => (Script::Renew, renew(op)),
        Op::Record(op) if guess.more => (Script::RecordMore, record(op, guess)),
        Op::Record(op) => (Script::Record, record(op, guess)),
        Op::Expire(op) => (Script::Expire, expire(op, timings, guess.phase)),
        Op::Answer(op) => (Script::Answer, answer(op)),
        Op::Cancel(op) => (Script::Cancel, run(op.run).bytes(op.actor.as_str()).bytes(&op.operation).finish()),
        Op::Fire(op) => (Script::Fire, fire(op)),
        Op::PopDue(op) => (Script::PopDue, pop_due(op)),
        Op::Extend { run: id, ms, untried } => (Script::Extend, run(*id).number(*ms).flag(*untried).finish()),
        Op::Park { run: id, reason } => (Script::Park, run(*id).bytes(reason).finish()),
        Op::Unpark { run: id, actor, operation } => {
            (Script::Unpark, run(*id).bytes(actor.as_str()).bytes(operation).finish())
        }
        Op::Dead(op) => (Script::Dead, dead(op)),
        Op::Republish(op) => (Script::Republish, republish(op)),
        Op::Recheck { run: id, group, ms } => (Script::Recheck, run(*id).bytes(group.text()).number(*ms).finish()),
        Op::Gc { run: id } => (Script::Gc, run(*id).finish()),
        Op::Prune(op) => (Script::Prune, prune(op)),
        Op::Signal(op) => (Script::Signal, signal(op)),
        Op::Deliver(op) => (Script::Deliver, deliver(op)),
        Op::Heard { run: id, signals, waits } => (Script::Heard, run(*id).number(*signals).number(*waits).finish()),
        Op::Force { run: id } => (Script::Force, run(*id).finish()),
        Op::Edit(op) => (Script::Edit, history::edit(op)?),
        Op::Retry(op) => (Script::Retry, history::retry(op, guess)),
        Op::Repin(op) => (Script::Repin, history::repin(op)),
        Op::Reserve(op) => (Script::Reserve, reserve(op)),
        Op::Settle(op) => (Script::Settle, settle(op)),
        Op::KeepSchedule(op) => (Script::KeepSchedule, schedules::keep(op)),
    })
}

/// A command of a run begins with its uuid.
pub(super) fn run(run: baton_common::RunId) -> Packer {
    Packer::default().bytes(run.uuid.simple().to_string())
}

fn task(job: &JobId) -> Packer {
    run(job.run).bytes(job.group.text()).number(job.index)
}

fn job(job: &JobId) -> Packer {
    run(job.run).number(job.r#gen.0).bytes(job.group.text()).number(job.index)
}

fn submit(op: &Submit) -> Result<Vec<u8>, Error> {
    let of: &RunInfo = &op.info;
    let packer = run(of.id)
        .bytes(of.thread.to_string())
        .bytes(of.body_digest.0)
        .moment_or_none(of.deadline)
        .bytes(info::text(of)?)
        .bytes(fixed_row(of))
        .number(match op.on_busy {
            OnBusy::Reject => 0_u32,
            OnBusy::Enqueue => 1,
            OnBusy::Interrupt => 2,
            OnBusy::Rollback => 3,
        })
        .bytes(of.actor.as_str())
        .flag(op.lasting);
    let packer = match &op.set_back {
        Some((run, back)) => packer.list(2).bytes(run.uuid.simple().to_string()).bytes(history::set_back_row(back)),
        None => packer.flag(false),
    };
    match &op.fork {
        Some(fork) => Ok(history::fork(packer, fork)?.finish()),
        None => Ok(packer.flag(false).finish()),
    }
}

fn stage(op: &Stage) -> Vec<u8> {
    let packer = run(op.run).bytes(op.op.0).bytes(format!("{}:{}", op.op, op.group));
    let list = |packer: Packer, row: &dyn Fn(&NewTask) -> Option<Vec<u8>>| {
        let rows: Vec<_> = (op.first..).zip(&op.tasks).filter_map(|(index, task)| Some((index, row(task)?))).collect();
        let packer = packer.list(rows.len() * 2);
        rows.into_iter().fold(packer, |packer, (index, row)| packer.number(index).bytes(row))
    };
    let packer = list(packer, &|task| Some(fresh_task_row(task.digest)));
    let packer = list(packer, &|task| Some(task.body.clone().into_bytes()));
    let packer = list(packer, &terms_row);
    list(packer, &needs_row).finish()
}

/// A key's name: its parts behind one another.
pub(super) fn key_name(name: &KeyName) -> String {
    let KeyName { tenant, tool, text, cache } = name;
    format!("{tenant}\0{tool}\0{}\0{text}", u8::from(*cache))
}

fn reserve(op: &Reserve) -> Vec<u8> {
    let packer = Packer::default().bytes(key_name(&op.name)).bytes(op.job.text());
    packer.number(op.lease_ms).flag(op.name.cache).finish()
}

fn settle(op: &Settle) -> Vec<u8> {
    let packer = Packer::default().bytes(key_name(&op.name)).bytes(op.job.text());
    packer.bytes_or_none(op.outcome.as_deref()).number(op.keep_ms).flag(op.name.cache).finish()
}

fn prune(op: &Prune) -> Vec<u8> {
    let packer = Packer::default().bytes(op.thread.to_string());
    match op.below {
        Some(below) => packer.number(below.0).finish(),
        None => packer.flag(false).finish(),
    }
}

fn signal(op: &Signal) -> Vec<u8> {
    Packer::default()
        .bytes(op.thread.to_string())
        .bytes(&op.name)
        .bytes(&op.id)
        .bytes(&op.value)
        .bytes(op.actor.as_str())
        .bytes(op.thread.thread.to_string())
        .finish()
}

fn deliver(op: &Deliver) -> Vec<u8> {
    job(&op.job).number(op.number).bytes(&op.outcome).bytes(op.job.text()).finish()
}

/// The ids of questions of a job's phases from `first` on, and that phase.
fn phases(packer: Packer, job: &JobId, first: u32) -> Packer {
    let ids: String = (first..first + PHASES).map(|phase| InterruptId::of(job, phase).to_string()).collect();
    packer.bytes(ids).number(first)
}

fn mark(op: &Mark) -> Vec<u8> {
    let list = run(op.run).list(op.tasks.len());
    let list = op
        .tasks
        .iter()
        .fold(list, |packer, (group, index, seq)| packer.list(3).bytes(group.text()).number(*index).number(seq.0));
    list.finish()
}

fn republish(op: &Republish) -> Vec<u8> {
    task(&op.job).number(op.seq.0).finish()
}

fn dead(op: &Dead) -> Vec<u8> {
    let packer = job(&op.job).number(op.seen.0).bytes_or_none(op.drop.as_deref());
    packer.bytes(op.actor.as_str()).bytes(op.subject()).finish()
}

fn claim(op: &Claim, timings: &Timings, guess: &Guess) -> Vec<u8> {
    let packer = job(&op.job)
        .bytes(op.digest.0)
        .bytes(op.worker.0.to_be_bytes())
        .bytes(op.worker.to_string())
        .bytes(op.request.0.to_be_bytes())
        .number(op.lease_ms);
    let packer = phases(packer, &op.job, guess.phase).bytes(bodies::poison(timings.infra_attempts_max));
    packer.flag(guess.more).finish()
}

fn renew(op: &Renew) -> Vec<u8> {
    let list = Packer::default().bytes(op.worker.0.to_be_bytes()).number(op.lease_ms).list(op.leases.len());
    let list = op.leases.iter().fold(list, |packer, (job, fence)| {
        let packer = packer.list(5).bytes(job.run.uuid.simple().to_string()).number(job.r#gen.0);
        packer.bytes(job.group.text()).number(job.index).number(fence.0)
    });
    list.finish()
}

fn record(op: &Record, guess: &Guess) -> Vec<u8> {
    let packer = job(&op.job).bytes(op.digest.0).number(op.fence.0).flag(guess.more);
    match &op.outcome {
        Recorded::Ok(body) => packer.bytes("ok").bytes(body).finish(),
        Recorded::Error { class, code, retry_after_ms, body } => {
            let matters = class.retryable() || *class == ErrorClass::Cancelled;
            packer
                .bytes("error")
                .bytes(body)
                .bytes_or_none(matters.then(|| class_letter(*class).to_string()))
                .bytes(code)
                .number(retry_after_ms.unwrap_or(0))
                .number(op.job.digest().jitter())
                .bytes(trouble(*class, code))
                .finish()
        }
        Recorded::Ask { question, continuation, expires_ms } => {
            let packer = packer.bytes("pause").list(6).bytes(bodies::continued(continuation.as_deref()));
            let packer = packer.bytes(op.digest.next_phase().0);
            let packer = match expires_ms {
                Some(ms) => packer.number(*ms),
                None => packer.flag(false),
            };
            phases(packer.bytes(question), &op.job, guess.phase).finish()
        }
        Recorded::Wait { after_ms, continuation } => {
            let goes_on = continuation.clone().unwrap_or_else(|| bodies::continued(None));
            let packer = packer.bytes("pause").list(4).bytes(goes_on).bytes(op.digest.next_phase().0);
            packer.number(*after_ms).flag(false).finish()
        }
        Recorded::Returned => phases(packer.bytes("return").list(2), &op.job, guess.phase).finish(),
        Recorded::Later { at, why } => packer.bytes("later").list(2).moment(at.0).bytes(why).finish(),
    }
}

fn expire(op: &Expire, timings: &Timings, phase: u32) -> Vec<u8> {
    phases(task(&op.job), &op.job, phase).bytes(bodies::poison(timings.infra_attempts_max)).finish()
}

fn answer(op: &Answer) -> Vec<u8> {
    task(&op.job)
        .bytes(op.interrupt.to_string())
        .bytes(&op.decision)
        .bytes(&op.outcome)
        .flag(op.ok)
        .bytes(op.actor.as_str())
        .finish()
}

fn fire(op: &Fire) -> Vec<u8> {
    let packer = run(op.run).bytes_or_none(op.group.as_ref().map(ToString::to_string));
    let packer = match op.index {
        Some(index) => packer.number(index),
        None => packer.flag(false),
    };
    packer.bytes(bodies::expired()).bytes(bodies::unsignalled()).bytes(bodies::nothing()).finish()
}

pub(super) fn pop_due(op: &PopDue) -> Vec<u8> {
    Packer::default().number(op.limit).number(op.hide_ms).finish()
}
