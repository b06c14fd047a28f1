//! Keys of results: one that is reserved is nobody else's until then, and what a job gave under
//! it is what everybody gets until it is over.

use std::collections::BTreeMap;

use baton_common::records::Body;
use baton_common::transition::{KeyName, Op, Reply, ReserveAnswer};
use baton_common::{JobId, Timestamp};

use super::{Made, Verdict};

/// Keys as they were answered for.
pub(super) type Keys = BTreeMap<KeyName, (Use, Timestamp)>;

/// How a key is used until then.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Use {
    /// It is reserved.
    By(JobId),
    /// It has its result.
    Done(Body),
}

pub(super) fn judge(keys: &mut Keys, rolled_back: bool, made: &Made<'_>) -> Verdict {
    match (made.op, made.reply) {
        (Op::Reserve(op), Reply::Reserve(answer)) => {
            let known = keys.get(&op.name).filter(|(_, until)| *until > made.now).map(|(used, _)| used);
            let fits = match (answer, known) {
                (ReserveAnswer::Free, None) => true,
                (ReserveAnswer::Free, Some(Use::By(job))) => *job == op.job,
                (ReserveAnswer::Done(body), Some(Use::Done(kept))) => body == kept,
                (ReserveAnswer::Busy(_), Some(Use::By(job))) => *job != op.job,
                _ => false,
            };
            // One from before the store went back is as it stands.
            let seen = !rolled_back || keys.contains_key(&op.name);
            if seen && !fits {
                return Err(format!("I9: a key answered {answer:?} and was {known:?}"));
            }
            if *answer == ReserveAnswer::Free && !op.name.cache {
                keys.insert(op.name.clone(), (Use::By(op.job.clone()), made.now.plus_ms(op.lease_ms)));
            }
            Ok(())
        }
        (Op::Settle(op), Reply::Changed(true)) => {
            match &op.outcome {
                Some(body) => keys.insert(op.name.clone(), (Use::Done(body.clone()), made.now.plus_ms(op.keep_ms))),
                None => keys.remove(&op.name),
            };
            Ok(())
        }
        _ => Ok(()),
    }
}
