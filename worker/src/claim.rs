//! Claiming jobs in batches: whatever arrived while the last call was under way goes into
//! the next. A call without an answer is repeated with the same claim requests, so that a
//! grant whose reply was lost is found again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_common::job::{ClaimAnswer, DropReason, Envelope};
use baton_common::pace::{self, Begun};
use baton_control::{ClaimCall, Error};
use baton_telemetry::trace::{Kind, Span};
use baton_telemetry::{about, names};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::arrivals::Arrivals;
use crate::backoff::Backoff;
use crate::fail::{self, Passed};
use crate::held::Stop;
use crate::intake::Pending;
use crate::job;
use crate::status::Status;
use crate::worker::Shared;

/// After claims were given up again and again, the intake rests for so many leases.
const RESTS_MAX: u64 = 10;

/// Jobs of one batch that are begun where they stand: more go to as many threads as there are.
const IN_PLACE_MAX: usize = 8;

/// The claimer of one worker, which owns the running jobs.
pub(crate) struct Claimer {
    pub(crate) shared: Arc<Shared>,
    /// Where messages come from, and come back to whose claim was not decided.
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) lease_ms: u64,
}

impl Claimer {
    /// Claims until the intake has ended, then lets the jobs finish.
    pub(crate) async fn run(self, shutdown: &CancellationToken) {
        let mut jobs = JoinSet::new();
        let mut rest = Backoff::new(&self.shared.dice, self.lease_ms, self.lease_ms * RESTS_MAX);
        loop {
            let batch = self.arrivals.next(self.shared.settings.claim_batch_max).await;
            if batch.is_empty() {
                break;
            }
            // No job's end is worth waking up for: no more than there are slots pile up.
            while jobs.try_join_next().is_some() {}
            let (batch, answers) = self.claim(batch, shutdown).await;
            match answers {
                Some(answers) => {
                    rest.reset();
                    self.hand_out(batch, answers, &mut jobs, shutdown);
                }
                None => {
                    self.shared.reach.rest_until(Some(Instant::now() + rest.next()));
                    give_back(batch).await;
                }
            }
        }
        self.drain(jobs).await;
    }

    /// The batch with its answers; `None` when the messages are to go back: at the shutdown,
    /// when the call is refused, or when nobody answered for as long as a lease, after which
    /// the claim requests mean nothing any more.
    async fn claim(
        &self,
        mut batch: Vec<Pending>,
        shutdown: &CancellationToken,
    ) -> (Vec<Pending>, Option<Vec<ClaimAnswer>>) {
        let settings = &self.shared.settings;
        let mut backoff = Backoff::new(&self.shared.dice, settings.backoff_ms, settings.backoff_ms_max);
        let give_up = Instant::now() + Duration::from_millis(self.lease_ms);
        batch.iter_mut().for_each(begin);
        while !shutdown.is_cancelled() && Instant::now() < give_up {
            match self.claim_once(calls(&batch)).await {
                Ok(answers) => {
                    self.shared.reach.up();
                    self.shared.reach.rest_until(None);
                    return (batch, Some(answers));
                }
                Err(error @ Error::Unavailable(_)) => self.shared.reach.down(&error),
                Err(error @ Error::Refused(_)) => {
                    tracing::error!(%error, "claims refused");
                    self.shared.reach.down(&error);
                    return (batch, None);
                }
            }
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                break;
            }
        }
        (batch, None)
    }

    async fn claim_once(&self, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        let lost = || Error::Unavailable("no answer to a claim".to_owned());
        let before = fail::point("before_claim").await;
        if before == Passed::Error {
            return Err(lost());
        }
        let limit = Duration::from_millis(self.shared.settings.call_timeout_ms);
        if before == Passed::Dup {
            let _ = tokio::time::timeout(limit, self.shared.control.claim(self.shared.id, calls.clone())).await;
        }
        let count = calls.len();
        let claim = self.shared.control.claim(self.shared.id, calls);
        let answers = tokio::time::timeout(limit, claim).await.map_err(|_| lost())??;
        if fail::point("after_claim").await == Passed::Error || answers.len() != count {
            return Err(lost());
        }
        Ok(answers)
    }

    fn hand_out(
        &self,
        batch: Vec<Pending>,
        answers: Vec<ClaimAnswer>,
        jobs: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) {
        let few = batch.len() <= IN_PLACE_MAX;
        let mut quick = Vec::new();
        for (mut pending, answer) in batch.into_iter().zip(answers) {
            end(&mut pending, &answer);
            match answer {
                ClaimAnswer::Granted(grant) => {
                    Status::add(&self.shared.status.granted);
                    let pace = self.shared.paces.get(&grant.tool).cloned();
                    let Pending { envelope, delivery, slot, .. } = pending;
                    let in_place = few && pace.as_ref().is_some_and(|pace| pace.is_quick());
                    let job = job::run(self.shared.clone(), grant, envelope.thread.clone(), delivery, slot, pace);
                    if in_place { quick.push(Box::pin(job)) } else { drop(jobs.spawn(job)) }
                }
                ClaimAnswer::Drop(reason) => {
                    Status::add(&self.shared.status.dropped);
                    told(&pending, reason);
                    jobs.spawn(async move {
                        let _ = pending.delivery.ack().await;
                    });
                }
                ClaimAnswer::Later => {
                    jobs.spawn(ask_again(pending, self.shared.clone(), self.arrivals.clone(), shutdown.clone()));
                }
            }
        }
        begin_together(quick, jobs);
    }

    /// Waits for the jobs; tells them to stop after the grace, and leaves after another, in which
    /// what has no result is given back.
    async fn drain(&self, mut jobs: JoinSet<()>) {
        let settings = &self.shared.settings;
        let grace = Duration::from_millis(settings.drain_grace_ms);
        if tokio::time::timeout(grace, all_of(&mut jobs)).await.is_ok() {
            return;
        }
        tracing::warn!(jobs = jobs.len(), "jobs did not finish within the grace");
        self.shared.held.stop_all(Stop::Leaving);
        let grace = settings.cancel_grace_ms + settings.backoff_ms_max + settings.call_timeout_ms;
        let grace = Duration::from_millis(grace);
        let _ = tokio::time::timeout(grace, all_of(&mut jobs)).await;
    }
}

/// Each call says which span it goes on with: one request may hold claims of many runs.
fn calls(batch: &[Pending]) -> Vec<ClaimCall> {
    let call = |pending: &Pending| {
        let traceparent = pending.claim.context().or(pending.trace).map(|context| context.to_string());
        let envelope = if pending.envelope.traceparent == traceparent {
            pending.envelope.clone()
        } else {
            Arc::new(Envelope { traceparent, ..Envelope::clone(&pending.envelope) })
        };
        ClaimCall { envelope, request: pending.request }
    };
    batch.iter().map(call).collect()
}

fn begin(pending: &mut Pending) {
    let job = &pending.envelope.job;
    pending.claim = Span::child(names::SPAN_CLAIM, Kind::Client, pending.trace).with(|span| {
        span.set(names::JOB_ID, job.to_string()).set(names::RPC_METHOD, names::SPAN_GRANT);
    });
}

fn end(pending: &mut Pending, answer: &ClaimAnswer) {
    let mut span = std::mem::take(&mut pending.claim);
    span.say(|span| {
        match answer {
            ClaimAnswer::Granted(grant) => span
                .set(names::OUTCOME, "granted")
                .set(names::ATTEMPT, i64::from(grant.attempt))
                .set(names::FENCE, grant.fence.0.cast_signed()),
            ClaimAnswer::Drop(reason) => span.set(names::OUTCOME, reason.name()),
            ClaimAnswer::Later => span.set(names::OUTCOME, "later"),
        };
    });
}

/// Begins jobs where they stand, then what they led to: their runs go on once all have ended.
fn begin_together<J: Future<Output = ()> + Send + 'static>(quick: Vec<Pin<Box<J>>>, jobs: &mut JoinSet<()>) {
    let later = pace::together(|| {
        for job in quick {
            match pace::begin(job) {
                Begun::Done => {}
                Begun::Waits(rest) => drop(jobs.spawn(rest)),
                Begun::Panicked => tracing::error!("job panicked where it was begun"),
            }
        }
    });
    for work in later {
        match pace::begin(work) {
            Begun::Done => {}
            Begun::Waits(rest) => drop(tokio::spawn(rest)),
            Begun::Panicked => tracing::error!("work panicked where it was begun"),
        }
    }
}

async fn all_of(jobs: &mut JoinSet<()>) {
    while jobs.join_next().await.is_some() {}
}

/// Asks again after a pause, a few times; then the message goes back.
async fn ask_again(mut pending: Pending, shared: Arc<Shared>, arrivals: Arc<Arrivals>, shutdown: CancellationToken) {
    pending.tries += 1;
    let settings = &shared.settings;
    let longest = (settings.backoff_ms << pending.tries.min(16)).min(settings.backoff_ms_max);
    let pause = Backoff::new(&shared.dice, longest, longest).next();
    let waited = shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some();
    let again = waited && pending.tries <= settings.later_tries_max;
    let left = if again { arrivals.bring_back(pending) } else { Some(pending) };
    if let Some(pending) = left {
        give_back(vec![pending]).await;
    }
}

async fn give_back(batch: Vec<Pending>) {
    for pending in batch {
        // What does not reach the broker comes back with its connection.
        let _ = pending.delivery.give_back().await;
    }
}

fn told(pending: &Pending, reason: DropReason) {
    let Envelope { job, thread, .. } = &*pending.envelope;
    let redelivered = pending.delivery.redelivered();
    about::job(job, None, thread.as_ref(), pending.trace)
        .in_scope(|| tracing::debug!(?reason, redelivered, "message dropped"));
}

/// Counts a running attempt for as long as it lives.
pub(crate) struct Running(Arc<Status>);

impl Running {
    pub(crate) fn new(status: &Arc<Status>) -> Self {
        Status::add(&status.running);
        Self(status.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
