//! One granted job: acknowledge its message, run it, hand its outcome back.

use std::sync::Arc;

use baton_broker::Delivery;
use baton_common::job::{Grant, Outcome};
use baton_control::Resume;
use baton_telemetry::{SpanExt as _, metrics, names};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::attempt;
use crate::claim::Running;
use crate::fail::{self, Passed};
use crate::held::{HeldJob, Stop};
use crate::resume;
use crate::worker::Shared;

/// Runs a granted job to the end of its hand-over, or to the spool.
pub(crate) async fn run(shared: Arc<Shared>, grant: Grant, delivery: Box<dyn Delivery>, slot: OwnedSemaphorePermit) {
    let span = tracing::info_span!(
        names::SPAN_PROCESS,
        { names::JOB_ID } = %grant.job,
        { names::RUN_ID } = %grant.job.run,
        { names::FENCE } = grant.fence.0,
        { names::ATTEMPT } = grant.attempt,
        { names::GEN_AI_TOOL } = grant.tool,
        { names::QUEUE_CLASS } = shared.settings.class.name(),
        { names::ERROR_TYPE } = tracing::field::Empty
    );
    span.set_parent_from(grant.traceparent.as_deref());
    hand_over(shared, grant, delivery, Arc::new(slot)).instrument(span).await;
}

async fn hand_over(shared: Arc<Shared>, grant: Grant, delivery: Box<dyn Delivery>, slot: Arc<OwnedSemaphorePermit>) {
    let job = HeldJob::new(&grant, delivery.queue());
    shared.held.add(&job);
    if fail::point("before_ack").await == Passed::Error {
        // It brings the message again, whose claim is busy.
        drop(delivery);
    } else if let Err(error) = delivery.ack().await {
        tracing::debug!(%error, "message not acknowledged");
    }
    fail::point("after_ack").await;
    let running = Running::new(&shared.status);
    let digest = grant.digest;
    let began = Instant::now();
    let outcome = attempt::run(&shared, grant, &job, &slot).await;
    drop(running);
    measure(&shared, began, outcome.as_ref());
    let Some(outcome) = outcome else {
        if job.stopped() == Some(Stop::Leaving) {
            resume::give_back(&shared, &job.hold, digest).await;
        }
        shared.held.remove(&job.hold);
        return;
    };
    if let Outcome::Error(failure) = &outcome {
        tracing::Span::current().record(names::ERROR_TYPE, failure.code.as_str());
    }
    let resume = Resume { hold: job.hold, digest, outcome };
    resume::deliver(&shared, resume).await;
    drop(slot);
}

/// Counts an attempt. One that nothing is told of was abandoned: its lease was lost, or the
/// worker leaves.
fn measure(shared: &Shared, began: Instant, outcome: Option<&Outcome>) {
    let outcome = match outcome {
        Some(Outcome::Ok(_)) => "succeeded",
        Some(Outcome::Error(failure)) => failure.class.name(),
        None => "abandoned",
    };
    let (metrics, class) = (metrics::worker(), shared.settings.class.name());
    metrics.jobs.of(&[class, outcome]).inc();
    metrics.job.of(&[class]).observe(metrics::seconds(began.elapsed()));
}
