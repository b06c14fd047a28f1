//! One granted job: acknowledge its message, run it, hand its outcome back.

use std::sync::Arc;

use baton_broker::Delivery;
use baton_common::job::{Grant, Outcome};
use baton_common::pace::Pace;
use baton_common::{ThreadId, TraceContext};
use baton_control::Resume;
use baton_telemetry::about::Carry as _;
use baton_telemetry::trace::{Kind, Span};
use baton_telemetry::{metrics, names};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::attempt;
use crate::claim::Running;
use crate::fail::{self, Passed};
use crate::held::{HeldJob, Stop};
use crate::resume;
use crate::worker::Shared;

/// Runs a granted job to the end of its hand-over, or to the spool; notes how long it took.
pub(crate) fn run(
    shared: Arc<Shared>,
    grant: Box<Grant>,
    thread: Option<ThreadId>,
    delivery: Box<dyn Delivery>,
    slot: OwnedSemaphorePermit,
    pace: Option<Arc<Pace>>,
) -> impl Future<Output = ()> + Send + 'static {
    let job = HeldJob::new(&grant, thread, delivery.queue());
    let about = job.about.clone();
    hand_over(shared, grant, job, delivery, Arc::new(slot), pace).about(about)
}

async fn hand_over(
    shared: Arc<Shared>,
    grant: Box<Grant>,
    job: HeldJob,
    delivery: Box<dyn Delivery>,
    slot: Arc<OwnedSemaphorePermit>,
    pace: Option<Arc<Pace>>,
) {
    let _timed = pace.map(Timed::begin);
    tracing::debug!(fence = grant.fence.0, tool = grant.tool, "attempt begins");
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
    let mut span = attempt_span(&shared, &grant);
    let trace = span.context();
    let outcome = attempt::run(&shared, grant, &job, &slot, trace).await;
    span.say(|span| {
        match &outcome {
            Some(Outcome::Ok(_)) => span,
            Some(Outcome::Error(failure)) => span.fail(failure.code.to_string()),
            None => span.fail("abandoned"),
        };
    });
    drop(span);
    drop(running);
    measure(&shared, began, outcome.as_ref());
    if let Some(Outcome::Error(failure)) = &outcome {
        tracing::debug!(class = failure.class.name(), code = failure.code, "attempt failed");
    }
    let Some(outcome) = outcome else {
        if job.stopped() == Some(Stop::Leaving) {
            resume::give_back(&shared, &job.hold, digest).await;
        }
        shared.held.remove(&job.hold);
        return;
    };
    let resume = Resume { hold: job.hold.clone(), digest, outcome, trace };
    resume::deliver(&shared, resume).await;
    drop(slot);
}

/// Notes how long a job took once it ends.
struct Timed {
    pace: Arc<Pace>,
    began: Instant,
}

impl Timed {
    fn begin(pace: Arc<Pace>) -> Self {
        Self { pace, began: Instant::now() }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.pace.took(self.began.elapsed());
    }
}

/// One attempt, below its claim.
fn attempt_span(shared: &Shared, grant: &Grant) -> Span {
    let claim = TraceContext::read(grant.traceparent.as_deref());
    Span::child(names::SPAN_TOOL, Kind::Internal, claim).with(|span| {
        span.name(format!("{} {}", names::SPAN_TOOL, grant.tool))
            .set(names::GEN_AI_OPERATION, names::SPAN_TOOL)
            .set(names::GEN_AI_TOOL, grant.tool.clone())
            .set(names::RUN_ID, grant.job.run.to_string())
            .set(names::JOB_ID, grant.job.to_string())
            .set(names::NODE, grant.job.group.node.to_string())
            .set(names::ATTEMPT, i64::from(grant.attempt))
            .set(names::QUEUE_CLASS, shared.settings.class.name())
            .set(names::TENANT, grant.tenant.to_string())
            .set(names::WORKER, shared.id.to_string());
    })
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
