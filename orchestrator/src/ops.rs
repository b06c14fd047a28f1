//! The transitions this plane asks for, each with its own answer type, and how an unknown
//! outcome is met: by the same operation again.

use std::sync::Arc;

use baton_common::commit::Commit;
use baton_common::job::RenewAnswer;
use baton_common::transition::{
    AdvanceAnswer, Answer, AnswerVerdict, Cancel, CancelAnswer, Claim, ClaimVerdict, Dead, DeadAnswer, Deliver,
    DeliverAnswer, Edit, EditAnswer, Expire, ExpireAnswer, Fire, FireAnswer, KeepSchedule, KeepScheduleAnswer, Mark,
    Op, Prune, PruneAnswer, Record, RecordVerdict, Renew, Repin, RepinAnswer, Reply, Reserve, ReserveAnswer, Retry,
    RetryAnswer, Signal, SignalAnswer, Submit, SubmitAnswer,
};
use baton_store::Error;
use tokio::time::{Duration, sleep};

use crate::orchestrator::Inner;

/// The first pause before an operation is repeated, in milliseconds; it doubles from there.
const PAUSE_MIN_MS: u64 = 20;
/// The longest pause, in milliseconds.
const PAUSE_MAX_MS: u64 = 1_000;
/// How often an operation of the driver is made in all.
const TRIES_MAX: u32 = 8;

macro_rules! transitions {
    ($($(#[$doc:meta])* $name:ident($op:ident: $given:ty) -> $answer:ty { $wrapped:expr, $reply:ident })*) => {
        impl Inner {$(
            $(#[$doc])*
            pub(crate) async fn $name(&self, $op: $given) -> Result<$answer, Error> {
                match self.store.apply($wrapped).await? {
                    Reply::$reply(answer) => Ok(answer),
                    other => Err(Error::Broken(format!(concat!(stringify!($name), " answered {:?}"), other))),
                }
            }
        )*}
    };
}

transitions! {
    submit_op(op: Submit) -> SubmitAnswer { Op::Submit(Box::new(op)), Submit }
    advance_op(op: Arc<Commit>) -> AdvanceAnswer { Op::Advance(op), Advance }
    mark_op(op: Mark) -> bool { Op::Mark(op), Changed }
    claim_op(op: Claim) -> ClaimVerdict { Op::Claim(op), Claim }
    renew_op(op: Renew) -> Vec<RenewAnswer> { Op::Renew(op), Renew }
    record_op(op: Record) -> RecordVerdict { Op::Record(Box::new(op)), Record }
    expire_op(op: Expire) -> ExpireAnswer { Op::Expire(op), Expire }
    answer_op(op: Answer) -> AnswerVerdict { Op::Answer(Box::new(op)), Answer }
    cancel_op(op: Cancel) -> CancelAnswer { Op::Cancel(op), Cancel }
    prune_op(op: Prune) -> PruneAnswer { Op::Prune(op), Prune }
    signal_op(op: Signal) -> SignalAnswer { Op::Signal(Box::new(op)), Signal }
    deliver_op(op: Deliver) -> DeliverAnswer { Op::Deliver(Box::new(op)), Deliver }
    edit_op(op: Edit) -> EditAnswer { Op::Edit(Box::new(op)), Edit }
    dead_op(op: Dead) -> DeadAnswer { Op::Dead(Box::new(op)), Dead }
    retry_op(op: Retry) -> RetryAnswer { Op::Retry(Box::new(op)), Retry }
    repin_op(op: Repin) -> RepinAnswer { Op::Repin(op), Repin }
    reserve_op(op: Reserve) -> ReserveAnswer { Op::Reserve(op), Reserve }
    keep_schedule_op(op: KeepSchedule) -> KeepScheduleAnswer { Op::KeepSchedule(Box::new(op)), KeepSchedule }
    fire_op(op: Fire) -> FireAnswer { Op::Fire(op), Fire }
    /// The operations that only say whether something changed.
    change_op(op: Op) -> bool { op, Changed }
}

/// An answer, and whether an earlier try may have made the change already.
pub(crate) struct Settled<T> {
    pub(crate) answer: T,
    pub(crate) repeated: bool,
}

impl Inner {
    /// Repeats an operation until the store answers it, within bounds and while this
    /// process is not asked to stop. Every operation answers a repetition with a final code.
    pub(crate) async fn settle<T, F>(&self, mut op: impl FnMut() -> F) -> Result<Settled<T>, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut pause_ms = PAUSE_MIN_MS;
        for tried in 1.. {
            match op().await {
                Ok(answer) => return Ok(Settled { answer, repeated: tried > 1 }),
                Err(error @ Error::Broken(_)) => return Err(error),
                Err(error) if tried >= TRIES_MAX || self.shutdown.is_cancelled() => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, tried, "store operation repeated");
                    sleep(Duration::from_millis(self.jittered(pause_ms))).await;
                    pause_ms = (pause_ms * 2).min(PAUSE_MAX_MS);
                }
            }
        }
        Err(Error::Unavailable("not tried".to_owned()))
    }
}
