//! Outcomes: recorded once, and what follows from them begun at once.
//!
//! What few outcomes need is awaited in a box here and below: a future has room for all that
//! it may await, and that of a resume is moved a few times on its way to its first poll.

use std::sync::Arc;

use baton_common::job::{Outcome, ResumeAnswer};
use baton_common::payload::{INLINE_BYTES_MAX, json_bytes};
use baton_common::transition::{Record, RecordVerdict, Recorded};
use baton_common::{Digest, Fence, JobId, Payload, TenantId, TraceContext};
use baton_control::{Error, Hold, Resume};
use baton_telemetry::about::Carry as _;
use baton_telemetry::names;
use baton_telemetry::trace::{Kind, Span};
use bytes::Bytes;

use super::claim::Unmade;
use super::keyed::Attempt;
use super::special::Special;
use crate::about;
use crate::fail::{self, Passed};
use crate::keys::Holder;
use crate::orchestrator::Inner;
use crate::quotas::Used;

impl Inner {
    pub(super) async fn resume(self: &Arc<Self>, resume: Resume) -> Result<ResumeAnswer, Error> {
        let holder = self.held(&resume.hold)?;
        let about = about::of_hold(self, &resume.hold, resume.trace);
        self.resume_held(holder, resume).about(about).await
    }

    async fn resume_held(self: &Arc<Self>, holder: Holder, resume: Resume) -> Result<ResumeAnswer, Error> {
        let Holder { tenant, graph, taken } = holder;
        let Resume { hold, digest, outcome, trace } = resume;
        let mut span = Span::child(names::SPAN_RECORD, Kind::Server, trace).with(|span| {
            span.set(names::RPC_METHOD, names::SPAN_RECORD).set(names::JOB_ID, hold.job.to_string());
        });
        let used = if taken.is_empty() { Used::default() } else { Used::of(&outcome) };
        let outcome = self.with_proven_blobs(&tenant, outcome).await?;
        let outcome = self.by_reference(&tenant, outcome).await?;
        let special = self.special(&hold.job, graph).await;
        let (outcome, again) = self.judged(&hold.job, outcome, &special).await?;
        let told = match again {
            Some(again) => again,
            None => recorded(&outcome).map_err(|error| Error::Refused(error.to_string()))?,
        };
        let keyed = special.ok().flatten().filter(|special| !special.keys.is_empty() && !is_pause(&told));
        let attempt = |tool| Attempt { tenant: &tenant, tool, job: &hold.job, digest, fence: hold.fence };
        // A success is kept before it is recorded, a failure frees the key once it is final.
        if let (Some(keyed), Outcome::Ok(_)) = (&keyed, &outcome) {
            self.settle_keys(&attempt(&keyed.tool), &keyed.keys, &outcome).await.map_err(super::from_store)?;
        }
        let record = Record { job: hold.job.clone(), digest, fence: hold.fence, outcome: told };
        let verdict = self.record_op(record).await.map_err(super::from_store)?;
        if let (Some(keyed), Outcome::Error(_), RecordVerdict::Ok(_)) = (&keyed, &outcome, &verdict) {
            self.settle_keys(&attempt(&keyed.tool), &keyed.keys, &outcome).await.map_err(super::from_store)?;
        }
        self.settle_quotas(&hold.job, hold.fence, &taken, used).await;
        if fail::point("after_record").await == Passed::Error {
            return Err(super::from_store(fail::unknown()));
        }
        let answer = self.follow_record(&hold.job, verdict, span.context());
        span.say(|span| {
            span.set(names::OUTCOME, outcome_name(answer));
        });
        drop(span);
        told_of(&outcome, hold.fence, answer);
        if fail::point("before_reply_resume").await == Passed::Error {
            return Err(super::from_store(fail::unknown()));
        }
        Ok(answer)
    }

    /// Takes a job back from a worker that leaves.
    pub(super) async fn give_back(self: &Arc<Self>, hold: Hold, digest: Digest) -> Result<ResumeAnswer, Error> {
        let Holder { taken, .. } = self.held(&hold)?;
        let record = Record { job: hold.job.clone(), digest, fence: hold.fence, outcome: Recorded::Returned };
        let verdict = self.record_op(record).await.map_err(super::from_store)?;
        let about = about::of_hold(self, &hold, None);
        about.in_scope(|| tracing::debug!(fence = hold.fence.0, "job taken back"));
        self.settle_quotas(&hold.job, hold.fence, &taken, Used::default()).about(about).await;
        Ok(self.follow_record(&hold.job, verdict, None))
    }

    /// The outcome as it counts, and how it is recorded where it is no end yet: a job that
    /// is polled is called again until it is done.
    async fn judged(
        &self,
        job: &JobId,
        outcome: Outcome,
        special: &Result<Option<Special>, Unmade>,
    ) -> Result<(Outcome, Option<Recorded>), Error> {
        let special = match special {
            Ok(None) | Err(Unmade::Failed(_)) => return Ok((outcome, None)),
            Ok(Some(special)) => special,
            Err(Unmade::Store(error)) => return Err(super::from_store(error.clone())),
        };
        match Box::pin(self.polled(job, special, &outcome)).await {
            Ok(again) => Ok((outcome, again)),
            Err(Unmade::Failed(failure)) => Ok((Outcome::Error(failure), None)),
            Err(Unmade::Store(error)) => Err(super::from_store(error)),
        }
    }

    /// Begins what a recorded outcome leads to; `cause` is the span it was recorded in.
    pub(super) fn follow_record(
        self: &Arc<Self>,
        job: &JobId,
        verdict: RecordVerdict,
        cause: Option<TraceContext>,
    ) -> ResumeAnswer {
        match verdict {
            RecordVerdict::Ok(tail) => {
                self.follow(job.run, tail, cause);
                ResumeAnswer::Recorded
            }
            RecordVerdict::Retry { at } => {
                self.watchers.changed(job.run);
                self.nudge(job.run.partition, at);
                ResumeAnswer::Retry
            }
            RecordVerdict::Parked { .. } => {
                self.forget_opened(job);
                self.watchers.changed(job.run);
                ResumeAnswer::Recorded
            }
            RecordVerdict::Duplicate => ResumeAnswer::Duplicate,
            RecordVerdict::Stale => ResumeAnswer::Stale,
            RecordVerdict::StaleFence => ResumeAnswer::StaleFence,
            RecordVerdict::RunTerminal => ResumeAnswer::RunTerminal,
            RecordVerdict::Unknown => ResumeAnswer::Unknown,
        }
    }

    /// A value too large for a record goes to the blob store.
    async fn by_reference(&self, tenant: &TenantId, outcome: Outcome) -> Result<Outcome, Error> {
        let Outcome::Ok(Payload::Inline(value)) = outcome else { return Ok(outcome) };
        if json_bytes(&value) <= INLINE_BYTES_MAX {
            return Ok(Outcome::Ok(Payload::Inline(value)));
        }
        let bytes = Bytes::from(value.to_string());
        let kept = Box::pin(baton_blobs::put_content(self.blobs.as_ref(), tenant, "application/json", bytes)).await;
        kept.map(|blob| Outcome::Ok(Payload::Blob(blob))).map_err(super::from_blobs)
    }
}

/// Says what became of an attempt: of a failure its code, of a result that there is one.
fn told_of(outcome: &Outcome, fence: Fence, answer: ResumeAnswer) {
    let (fence, answer) = (fence.0, outcome_name(answer));
    match outcome {
        Outcome::Ok(_) => tracing::debug!(fence, answer, "attempt succeeded"),
        Outcome::Error(failure) => {
            tracing::debug!(fence, answer, class = failure.class.name(), code = failure.code, "attempt failed");
        }
    }
}

fn outcome_name(answer: ResumeAnswer) -> &'static str {
    match answer {
        ResumeAnswer::Recorded => "recorded",
        ResumeAnswer::Duplicate => "duplicate",
        ResumeAnswer::Retry => "retry",
        ResumeAnswer::Stale => "stale",
        ResumeAnswer::StaleFence => "stale_fence",
        ResumeAnswer::RunTerminal => "run_terminal",
        ResumeAnswer::Unknown => "unknown",
    }
}

fn is_pause(told: &Recorded) -> bool {
    matches!(told, Recorded::Ask { .. } | Recorded::Wait { .. })
}

/// An outcome as RECORD is told.
pub(super) fn recorded(outcome: &Outcome) -> Result<Recorded, serde_json::Error> {
    let body = serde_json::to_string(outcome)?;
    Ok(match outcome {
        Outcome::Ok(_) => Recorded::Ok(body),
        Outcome::Error(failure) => Recorded::Error {
            class: failure.class,
            code: failure.code.clone(),
            retry_after_ms: failure.retry_after_ms,
            body,
        },
    })
}
