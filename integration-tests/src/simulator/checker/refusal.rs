//! I10: what is refused, or was made before, changes nothing. Looking at a timer that has
//! nothing to do may move or remove due entries, and nothing else.

use baton_common::job::RenewAnswer;
use baton_common::records::{Task, TaskState};
use baton_common::transition::{
    AdvanceAnswer, AnswerVerdict, CancelAnswer, ClaimVerdict, DeadAnswer, DeliverAnswer, EditAnswer, ExpireAnswer,
    FireAnswer, KeepScheduleAnswer, Op, PruneAnswer, RecordVerdict, RepinAnswer, Reply, RetryAnswer, SignalAnswer,
    SubmitAnswer,
};
use baton_store::memory::Changes;

use super::{Made, Verdict};

/// What an answered transition may have written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    Anything,
    DueEntries,
    /// Due entries, and the run's state as it was.
    SameState,
    Nothing,
}

pub(super) fn judge(made: &Made<'_>, changes: &Changes) -> Verdict {
    let held = match may(made) {
        May::Anything => true,
        May::DueEntries => changes.rows == 0,
        May::SameState => changes.rows <= 1,
        May::Nothing => changes.rows == 0 && changes.due == 0,
    };
    if held { Ok(()) } else { Err(format!("I10: what changes nothing wrote {changes:?}")) }
}

fn may(made: &Made<'_>) -> May {
    let yes = |changes: bool| if changes { May::Anything } else { May::Nothing };
    match (made.op, made.reply) {
        (_, Reply::Submit(answer)) => yes(matches!(answer, SubmitAnswer::Accepted | SubmitAnswer::Queued)),
        (_, Reply::Advance(answer)) => yes(matches!(answer, AdvanceAnswer::Advanced { .. })),
        (Op::Claim(claim), Reply::Claim(verdict)) => {
            let task = made.task(&claim.job);
            match verdict {
                ClaimVerdict::Granted(_) => yes(!task.is_some_and(|task| is_held_by(task, made))),
                ClaimVerdict::OutcomeUnknown => {
                    yes(task.is_some_and(|task| matches!(task.state, TaskState::Claimed { .. })))
                }
                ClaimVerdict::Poison(_) => May::Anything,
                _ => May::Nothing,
            }
        }
        (_, Reply::Renew(answers)) => yes(answers.iter().any(|answer| matches!(answer, RenewAnswer::Held(_)))),
        (_, Reply::Record(verdict)) => {
            yes(matches!(verdict, RecordVerdict::Ok(_) | RecordVerdict::Retry { .. } | RecordVerdict::Parked { .. }))
        }
        (_, Reply::Answer(verdict)) => yes(matches!(verdict, AnswerVerdict::Ok(_))),
        (_, Reply::Cancel(answer)) => yes(*answer == CancelAnswer::Cancelling),
        (_, Reply::Expire(ExpireAnswer::Kept) | Reply::Fire(FireAnswer::Kept)) => May::DueEntries,
        (_, Reply::PopDue(page)) if page.due.is_empty() => May::DueEntries,
        (Op::Recheck { .. }, Reply::Changed(_)) | (Op::Gc { .. }, Reply::Changed(false)) => May::DueEntries,
        (_, Reply::Prune(PruneAnswer::Kept | PruneAnswer::May { .. })) => May::DueEntries,
        (_, Reply::Signal(answer)) => yes(matches!(answer, SignalAnswer::Kept { .. })),
        (_, Reply::Deliver(answer)) => yes(matches!(answer, DeliverAnswer::Taken(_))),
        (_, Reply::Edit(answer)) => yes(matches!(answer, EditAnswer::Edited { .. })),
        (_, Reply::Retry(answer)) => yes(matches!(answer, RetryAnswer::Retried(_))),
        (_, Reply::Dead(answer)) => yes(matches!(answer, DeadAnswer::Done(_))),
        (_, Reply::Repin(answer)) => yes(matches!(answer, RepinAnswer::Repinned { .. })),
        (_, Reply::KeepSchedule(answer)) => yes(matches!(answer, KeepScheduleAnswer::Kept { .. })),
        (Op::Force { .. }, Reply::Changed(false)) => May::SameState,
        // Whoever uses keys removes those that are over.
        (Op::Settle(_), Reply::Changed(_)) => May::Anything,
        (_, Reply::Changed(changed)) => yes(*changed),
        _ => May::Anything,
    }
}

/// Whether the asking that a claim repeats was granted and still counts.
fn is_held_by(task: &Task, made: &Made<'_>) -> bool {
    let Op::Claim(claim) = made.op else { return false };
    matches!(task.state, TaskState::Claimed { lease_until, request, .. }
        if lease_until > made.now && request == claim.request)
}
