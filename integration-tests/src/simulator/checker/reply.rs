//! Invariants of one answer, by what stood there before: I2, I5, I6, I8 and the other half
//! of I10, that only a live intent is granted.

use baton_common::JobId;
use baton_common::records::{Group, RunStatus, Task, TaskState};
use baton_common::tool::Effect;
use baton_common::transition::{
    AdvanceAnswer, AnswerVerdict, Claim, ClaimVerdict, Granted, Op, Record, RecordVerdict, Recorded, Reply,
};

use super::{Made, Seen, Verdict};

pub(super) fn judge(seen: &mut Seen, made: &Made<'_>) -> Verdict {
    match (made.op, made.reply) {
        (Op::Advance(commit), Reply::Advance(AdvanceAnswer::Advanced { ver, .. })) => {
            if !seen.advanced.insert((commit.run, commit.seen)) {
                return Err(format!("I2: {} advanced twice from version {}", commit.run, commit.seen));
            }
            let followed = made.before.is_some_and(|before| before.run.state.ver.next() == *ver);
            if followed { Ok(()) } else { Err(format!("I2: an advance from {} led to {ver}", commit.seen)) }
        }
        (Op::Claim(claim), Reply::Claim(ClaimVerdict::Granted(granted))) => {
            *seen.grants.entry(super::in_all(&claim.job)).or_default() += 1;
            judge_grant(made, claim, granted)
        }
        (Op::Record(record), Reply::Record(verdict)) => judge_record(made, record, verdict),
        (Op::Answer(answer), Reply::Answer(AnswerVerdict::Ok(_) | AnswerVerdict::Already)) => {
            let known = seen.decisions.entry(answer.interrupt).or_insert_with(|| answer.decision.clone());
            if *known == answer.decision { Ok(()) } else { Err("I8: two decisions on one question".to_owned()) }
        }
        _ => Ok(()),
    }
}

/// I5: for the input it was made for. I6: under a new fence, and while nobody else holds it.
/// I10: only what waits to be done.
fn judge_grant(made: &Made<'_>, claim: &Claim, granted: &Granted) -> Verdict {
    let (Some(group), Some(task)) = (made.group(&claim.job), made.task(&claim.job)) else {
        return Err("I10: granted what is not there".to_owned());
    };
    if task.digest != claim.digest {
        return Err("I5: granted for another input".to_owned());
    }
    let status = made.before.map(|before| before.run.state.status);
    let may_run = matches!(status, Some(RunStatus::Running | RunStatus::Undoing | RunStatus::Stuck));
    if !may_run && !group.info.detached && !group.info.undo {
        return Err(format!("I10: granted in a run that is {status:?}"));
    }
    let undoing = made.before.is_some_and(|before| before.run.state.undoing);
    if undoing && !group.info.undo && !group.info.detached {
        return Err("I10: granted in a run that turned to its compensations".to_owned());
    }
    let again = matches!(task.state, TaskState::Claimed { lease_until, request, .. }
        if lease_until > made.now && request == claim.request);
    if again {
        let same = granted.fence == task.fence;
        return if same { Ok(()) } else { Err("I6: one asking was granted twice".to_owned()) };
    }
    if granted.fence <= task.fence {
        return Err(format!("I6: fence {} was granted after {}", granted.fence, task.fence));
    }
    let waits = match task.state {
        TaskState::Publishable { not_before } => not_before <= made.now,
        TaskState::Dispatched { .. } => true,
        TaskState::Claimed { lease_until, .. } if lease_until > made.now => {
            return Err("I6: granted while another holds it".to_owned());
        }
        TaskState::Claimed { .. } => group.info.effect != Effect::Once,
        _ => false,
    };
    if waits { Ok(()) } else { Err(format!("I10: granted what does not wait to be done: {task:?}")) }
}

/// I3: an outcome counts once. I5: for its input. I6: a failure counts from who holds it.
fn judge_record(made: &Made<'_>, record: &Record, verdict: &RecordVerdict) -> Verdict {
    let counted = matches!(verdict, RecordVerdict::Ok(_) | RecordVerdict::Retry { .. } | RecordVerdict::Parked { .. });
    if !counted {
        return Ok(());
    }
    let (Some(group), Some(task)) = (made.group(&record.job), made.task(&record.job)) else {
        return Err("I10: recorded for what is not there".to_owned());
    };
    if task.digest != record.digest {
        return Err("I5: recorded for another input".to_owned());
    }
    if task.is_over(group) {
        return Err("I3: recorded for what had ended".to_owned());
    }
    let is_success = matches!(record.outcome, Recorded::Ok(_));
    let held = matches!(task.state, TaskState::Claimed { .. } | TaskState::OutcomeUnknown);
    if !is_success && (task.fence != record.fence || !held) {
        return Err("I6: a failure of a lost attempt counted".to_owned());
    }
    if record.fence.0 == 0 || record.fence > task.fence {
        return Err("I6: recorded with a fence that was never granted".to_owned());
    }
    Ok(())
}

impl Made<'_> {
    /// The group of a task, as it was.
    pub(super) fn group(&self, job: &JobId) -> Option<&Group> {
        self.row(job).map(|(group, _)| group)
    }

    /// A task as it was.
    pub(super) fn task(&self, job: &JobId) -> Option<&Task> {
        self.row(job)?.1.get(usize::try_from(job.index).ok()?)
    }

    fn row(&self, job: &JobId) -> Option<&(Group, Vec<Task>)> {
        self.before?.groups.iter().find(|(group, _)| group.info.id == job.group)
    }
}
