//! Claims: checks the permit, lets the store decide, and makes the arguments of what was
//! granted. Secrets are put into the answer only.
//!
//! What few claims need is awaited in a box: a future has room for all that it may await.

use std::sync::Arc;

use baton_common::commit::Input;
use baton_common::ids::{ClaimRequest, Fence, IdempotencyKey, WorkerId};
use baton_common::job::{ClaimAnswer, DropReason, Envelope, Grant, Outcome};
use baton_common::payload::{INLINE_BYTES_MAX, json_bytes};
use baton_common::transition::{Claim, ClaimVerdict, Granted, Record, Recorded};
use baton_common::{Digest, Failure, JobId, Payload, TraceContext};
use baton_control::{ClaimCall, Error};
use baton_telemetry::about::Carry as _;
use baton_telemetry::trace::{Kind, Span};
use baton_telemetry::{metrics, names};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::Duration;

use super::keyed::{Attempt, unwrapped};
use super::resume::recorded;
use crate::about;
use crate::fail::{self, Passed};
use crate::keys::Holder;
use crate::load;
use crate::orchestrator::Inner;
use crate::quotas::Reserved;

impl Inner {
    pub(super) async fn claim(
        self: &Arc<Self>,
        worker: WorkerId,
        calls: Vec<ClaimCall>,
    ) -> Result<Vec<ClaimAnswer>, Error> {
        let answers = match <[ClaimCall; 1]>::try_from(calls) {
            Ok([call]) => vec![self.claim_one(worker, call).await],
            // On the heap, so that they stay where they are made.
            Err(calls) => join_all(calls.into_iter().map(|call| Box::pin(self.claim_one(worker, call)))).await,
        };
        if fail::point("before_reply_claim").await == Passed::Error {
            return Err(super::from_store(fail::unknown()));
        }
        if !answers.is_empty() && answers.iter().all(Result::is_err) {
            return answers.into_iter().collect::<Result<_, _>>().map_err(super::from_store);
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(ClaimAnswer::Later)).collect())
    }

    async fn claim_one(self: &Arc<Self>, worker: WorkerId, call: ClaimCall) -> Result<ClaimAnswer, baton_store::Error> {
        let ClaimCall { envelope, request } = call;
        if !self.is_ours(&envelope) {
            let (tenant, thread) = (&envelope.tenant, envelope.thread.as_ref());
            baton_telemetry::about::job(&envelope.job, None, thread, None)
                .in_scope(|| tracing::warn!(%tenant, %worker, "claim without a permit"));
            return Ok(ClaimAnswer::Drop(DropReason::Foreign));
        }
        let mut span = grant_span(&envelope, worker);
        let decided = self.decided(worker, envelope, request, &mut span).await;
        span.say(|span| {
            span.set(
                names::OUTCOME,
                match &decided {
                    Ok(ClaimAnswer::Granted(_)) => "granted",
                    Ok(ClaimAnswer::Drop(reason)) => reason.name(),
                    Ok(ClaimAnswer::Later) => "later",
                    Err(_) => "unavailable",
                },
            );
        });
        decided
    }

    async fn decided(
        self: &Arc<Self>,
        worker: WorkerId,
        envelope: Arc<Envelope>,
        request: ClaimRequest,
        span: &mut Span,
    ) -> Result<ClaimAnswer, baton_store::Error> {
        self.lanes.arrived(&envelope.job);
        if let (Some(queue), Some(published), Some(now)) = (&envelope.queue, envelope.published_at, self.clock.now()) {
            self.arrivals.saw(queue, published.min(now));
        }
        let (job, digest) = (envelope.job.clone(), envelope.digest);
        let lease_ms = self.settings.timings.lease_ms;
        let verdict = self.claim_op(Claim { job: job.clone(), digest, worker, request, lease_ms }).await?;
        let reason = match verdict {
            ClaimVerdict::Granted(granted) => {
                self.marks.forget(&job);
                self.waited(&envelope, &granted.group.queue);
                self.watchers.changed(job.run);
                let trace = span.context().or_else(|| TraceContext::read(envelope.traceparent.as_deref()));
                let about = about::of_attempt(self, &job, (Some(granted.attempt), envelope.thread.as_ref()), trace);
                return self.grant(envelope, *granted, span).about(about).await;
            }
            ClaimVerdict::Unknown => DropReason::Unknown,
            ClaimVerdict::RunTerminal => DropReason::RunTerminal,
            ClaimVerdict::Stale => DropReason::Stale,
            ClaimVerdict::Done => DropReason::Done,
            ClaimVerdict::Busy => DropReason::Busy,
            ClaimVerdict::OutcomeUnknown => {
                self.watchers.changed(job.run);
                DropReason::OutcomeUnknown
            }
            ClaimVerdict::Poison(tail) => {
                self.follow(job.run, *tail, span.context());
                DropReason::Done
            }
        };
        Ok(ClaimAnswer::Drop(reason))
    }

    /// Tells how long a job waited for a worker.
    fn waited(&self, envelope: &Envelope, queue: &str) {
        if let (Some(published), Some(now)) = (envelope.published_at, self.clock.now()) {
            let waited = Duration::from_millis(now.since_ms(published));
            metrics::orchestrator().queue_wait.of(&[queue]).observe(metrics::seconds(waited));
        }
    }

    fn is_ours(&self, envelope: &Envelope) -> bool {
        let Envelope { job, digest, class, tenant, .. } = envelope;
        let permit = envelope.permit.as_deref().unwrap_or_default();
        envelope.cluster == self.cluster && self.keys.permits(permit, job, *digest, *class, tenant)
    }

    async fn grant(
        self: &Arc<Self>,
        envelope: Arc<Envelope>,
        granted: Granted,
        span: &Span,
    ) -> Result<ClaimAnswer, baton_store::Error> {
        let input = match serde_json::from_str::<Input>(&granted.body) {
            Ok(input) => input,
            Err(error) => {
                let failure =
                    Failure::permanent("arguments_failed", format!("the stored input does not read: {error}"));
                Box::pin(self.fail_attempt(&envelope.job, envelope.digest, granted.fence, failure)).await?;
                return Ok(ClaimAnswer::Drop(DropReason::Done));
            }
        };
        let (keys, input) = unwrapped(input);
        if !keys.is_empty() {
            let Envelope { job, digest, tenant, .. } = &*envelope;
            let (tool, fence) = (granted.group.tool.as_str(), granted.fence);
            let attempt = Attempt { tenant, tool, job, digest: *digest, fence };
            if let Some(reason) = Box::pin(self.recall(&attempt, &keys, granted.continued.as_deref())).await? {
                return Ok(ClaimAnswer::Drop(reason));
            }
        }
        let args = match self.arguments(&envelope.job, &granted, input).await {
            Ok(args) => args,
            Err(Unmade::Store(error)) => return Err(error),
            Err(Unmade::Failed(failure)) => {
                Box::pin(self.fail_attempt(&envelope.job, envelope.digest, granted.fence, failure)).await?;
                return Ok(ClaimAnswer::Drop(DropReason::Done));
            }
        };
        let taken = match self.reserve_quotas(&envelope.job, &granted, &args.value).await? {
            Reserved::Taken(taken) => taken,
            Reserved::Later { at, quota } => {
                let later = Recorded::Later { at, why: format!("quota {quota}") };
                Box::pin(self.end_attempt(&envelope.job, envelope.digest, granted.fence, later)).await?;
                return Ok(ClaimAnswer::Drop(DropReason::Busy));
            }
            Reserved::Refused(failure) => {
                Box::pin(self.fail_attempt(&envelope.job, envelope.digest, granted.fence, failure)).await?;
                return Ok(ClaimAnswer::Drop(DropReason::Done));
            }
        };
        let args = match self.carried(&envelope, args).await {
            Ok(args) => args,
            Err(error) => return Err(baton_store::Error::Unavailable(error.to_string())),
        };
        let Envelope { job, digest, tenant, traceparent, .. } = &*envelope;
        let (job, digest, tenant) = (job.clone(), *digest, tenant.clone());
        let fence = granted.fence;
        tracing::debug!(fence = fence.0, tool = granted.group.tool, "job granted");
        Ok(ClaimAnswer::Granted(Box::new(Grant {
            digest,
            fence,
            attempt: granted.attempt,
            idempotency_key: IdempotencyKey::of(&job, digest, &granted.group.tool),
            tool: granted.group.tool.clone(),
            args,
            timeout_ms: granted.group.policy.timeout_ms,
            lease_ms: self.settings.timings.lease_ms,
            traceparent: span.traceparent().or_else(|| traceparent.clone()),
            token: self.keys.token(&job, fence, &Holder { tenant: tenant.clone(), graph: granted.group.graph, taken }),
            tenant,
            job,
        })))
    }

    /// Arguments that are too large to travel inline go by reference. They may hold a
    /// secret only where they are small.
    async fn carried(&self, envelope: &Envelope, args: Arguments) -> Result<Payload, baton_blobs::Error> {
        if args.secret || json_bytes(&args.value) <= INLINE_BYTES_MAX {
            return Ok(Payload::Inline(args.value));
        }
        let bytes = Bytes::from(args.value.to_string());
        let kept = baton_blobs::put_content(self.blobs.as_ref(), &envelope.tenant, "application/json", bytes);
        Box::pin(kept).await.map(Payload::Blob)
    }

    /// Ends an attempt whose arguments cannot be made.
    async fn fail_attempt(
        self: &Arc<Self>,
        job: &JobId,
        digest: Digest,
        fence: Fence,
        failure: Failure,
    ) -> Result<(), baton_store::Error> {
        let outcome = recorded(&Outcome::Error(failure)).unwrap_or(Recorded::Ok("null".to_owned()));
        self.end_attempt(job, digest, fence, outcome).await
    }

    /// Ends an attempt that no worker begins.
    async fn end_attempt(
        self: &Arc<Self>,
        job: &JobId,
        digest: Digest,
        fence: Fence,
        outcome: Recorded,
    ) -> Result<(), baton_store::Error> {
        let verdict = self.record_op(Record { job: job.clone(), digest, fence, outcome }).await?;
        self.follow_record(job, verdict, None);
        Ok(())
    }
}

/// The decision on a claim, below the claim itself.
fn grant_span(envelope: &Envelope, worker: WorkerId) -> Span {
    let claim = TraceContext::read(envelope.traceparent.as_deref());
    Span::child(names::SPAN_GRANT, Kind::Server, claim).with(|span| {
        span.set(names::RPC_METHOD, names::SPAN_GRANT)
            .set(names::JOB_ID, envelope.job.to_string())
            .set(names::WORKER, worker.to_string());
    })
}

/// Arguments, and whether a secret is among them.
pub(super) struct Arguments {
    pub(super) value: serde_json::Value,
    pub(super) secret: bool,
}

/// Why there are no arguments.
pub(super) enum Unmade {
    /// Nothing is known: the claim is repeated.
    Store(baton_store::Error),
    /// They cannot be made.
    Failed(Failure),
}

impl From<baton_blobs::Error> for Unmade {
    fn from(error: baton_blobs::Error) -> Self {
        load::Error::from(error).into()
    }
}

impl From<load::Error> for Unmade {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Store(error) => Self::Store(error),
            error => Self::Failed(Failure::permanent("arguments_failed", error.to_string())),
        }
    }
}
