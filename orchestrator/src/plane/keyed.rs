//! Results that are kept under a key: a business key, by which the same work is done once
//! over runs, forks and double submits, and a cache.
//!
//! A key lies in another partition than its job, so it is looked up between the claim and
//! the grant, and settled before the outcome is recorded: a crash between leaves a result
//! that the next attempt finds, never one that is lost.

use std::sync::Arc;

use baton_common::commit::{Input, ResultKey};
use baton_common::ids::Fence;
use baton_common::job::{DropReason, Outcome};
use baton_common::transition::{KeyName, Op, Record, Recorded, Reserve, ReserveAnswer, Settle};
use baton_common::{Digest, JobId, TenantId};
use baton_store::Error;

use crate::orchestrator::Inner;

/// How soon a job looks again whose key another job has reserved, in milliseconds.
const BUSY_MS: u64 = 1_000;

/// The keys of an input, the outermost first, and the input itself.
pub(super) fn unwrapped(mut input: Input) -> (Vec<ResultKey>, Input) {
    let mut keys = Vec::new();
    while let Input::Keyed { key, input: inner } = input {
        keys.push(key);
        input = *inner;
    }
    (keys, input)
}

/// An attempt that was claimed, as far as keys matter.
pub(super) struct Attempt<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) tool: &'a str,
    pub(super) job: &'a JobId,
    pub(super) digest: Digest,
    pub(super) fence: Fence,
}

impl Attempt<'_> {
    fn name(&self, key: &ResultKey) -> KeyName {
        let (tenant, tool, text) = (self.tenant.clone(), self.tool.to_owned(), key.text.clone());
        KeyName { tenant, tool, text, cache: key.ttl_ms.is_some() }
    }

    fn record(&self, outcome: Recorded) -> Record {
        Record { job: self.job.clone(), digest: self.digest, fence: self.fence, outcome }
    }
}

impl Inner {
    /// Looks up the keys of a claimed job. Where a result is recorded it becomes the job's,
    /// and where another job is at it this one waits: either way nothing is granted.
    pub(super) async fn recall(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        keys: &[ResultKey],
        continued: Option<&str>,
    ) -> Result<Option<DropReason>, Error> {
        for key in keys {
            let name = attempt.name(key);
            let lease_ms = self.settings.timings.lease_ms;
            let reserve = Reserve { name, job: attempt.job.clone(), lease_ms };
            let (outcome, reason) = match self.reserve_op(reserve).await? {
                ReserveAnswer::Free => continue,
                ReserveAnswer::Done(body) => (Recorded::Ok(body), DropReason::Done),
                ReserveAnswer::Busy(_) => {
                    let continuation = continued.map(str::to_owned);
                    (Recorded::Wait { after_ms: BUSY_MS.min(lease_ms), continuation }, DropReason::Busy)
                }
            };
            let verdict = self.record_op(attempt.record(outcome)).await?;
            self.follow_record(attempt.job, verdict, None);
            return Ok(Some(reason));
        }
        Ok(None)
    }

    /// Keeps a success under its keys; frees them after a failure.
    pub(super) async fn settle_keys(
        &self,
        attempt: &Attempt<'_>,
        keys: &[ResultKey],
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let kept = match outcome {
            Outcome::Ok(_) => serde_json::to_string(outcome).ok(),
            Outcome::Error(_) => None,
        };
        for key in keys {
            if key.ttl_ms.is_some() && kept.is_none() {
                continue;
            }
            let keep_ms = key.ttl_ms.unwrap_or(self.settings.timings.key_retention_ms);
            let (name, job) = (attempt.name(key), attempt.job.clone());
            self.change_op(Op::Settle(Box::new(Settle { name, job, outcome: kept.clone(), keep_ms }))).await?;
        }
        Ok(())
    }
}
