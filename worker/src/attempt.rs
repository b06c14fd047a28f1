//! One attempt: the tool with its arguments, a time limit and a token, and its panics kept
//! from everybody else. What its outcome means is left to the control plane.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use baton_common::job::{Grant, Outcome};
use baton_common::{ErrorClass, Failure, Payload, TraceContext};
use baton_telemetry::about::About;
use baton_tools::{Call, CpuTool, JobBlobs as _, Tool};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::fail::{self, Passed};
use crate::held::{HeldJob, Stop};
use crate::job_blobs::JobLink;
use crate::outcome;
use crate::worker::{CpuPool, Shared};

/// The longest attempt, in milliseconds: thirty days.
const TIMEOUT_MS_MAX: u64 = 30 * 24 * 3_600_000;

type ToolResult = Result<Value, Failure>;

/// Runs the attempt; `None` where nothing may be told: its lease was lost or the worker
/// leaves, and it has no result.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    grant: Box<Grant>,
    job: &HeldJob,
    slot: &Arc<OwnedSemaphorePermit>,
    trace: Option<TraceContext>,
) -> Option<Outcome> {
    let timeout_ms = grant.timeout_ms.clamp(1, TIMEOUT_MS_MAX);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let mut work = start(shared.clone(), grant, job.clone(), (deadline, trace), slot.clone());
    let result = tokio::select! {
        biased;
        result = &mut work => Some(result),
        () = tokio::time::sleep_until(deadline) => {
            job.stop(Stop::Timeout);
            None
        }
        () = job.cancel.cancelled() => None,
    };
    let result = match result {
        Some(result) => Some(result),
        None => {
            let grace = Duration::from_millis(shared.settings.cancel_grace_ms);
            let result = tokio::time::timeout(grace, work).await.ok();
            if result.is_none() {
                tracing::warn!("tool left behind after its grace");
            }
            result
        }
    };
    let told = tell(job.stopped(), result, timeout_ms)?;
    Some(outcome::sized(told, &shared.settings))
}

/// What is told of an attempt: a result whenever there is one, else why it was stopped.
fn tell(stopped: Option<Stop>, result: Option<ToolResult>, timeout_ms: u64) -> Option<ToolResult> {
    match (stopped, result) {
        (_, Some(Ok(value))) => Some(Ok(value)),
        (None, result) => result,
        (Some(Stop::Timeout), _) => Some(Err(Failure::timeout(timeout_ms))),
        (Some(Stop::Cancelled), _) => {
            Some(Err(Failure::new(ErrorClass::Cancelled, "cancelled", "the run was cancelled")))
        }
        (Some(Stop::Lost | Stop::Leaving), _) => None,
    }
}

/// The work as one future that never panics.
fn start(
    shared: Arc<Shared>,
    grant: Box<Grant>,
    job: HeldJob,
    (deadline, trace): (Instant, Option<TraceContext>),
    slot: Arc<OwnedSemaphorePermit>,
) -> BoxFuture<'static, ToolResult> {
    let work = async move {
        let blobs = Arc::new(JobLink::new(&shared, &job, grant.tenant.clone()));
        let args = match grant.args {
            Payload::Inline(args) => args,
            Payload::Blob(blob) => serde_json::from_slice(&blobs.get(&blob).await?)
                .map_err(|_| Failure::permanent("bad_arguments", "the arguments' blob holds no JSON"))?,
        };
        shared.catalogue.validate(&grant.tool, &args)?;
        let call = Call {
            job: grant.job,
            fence: grant.fence,
            attempt: grant.attempt,
            idempotency_key: grant.idempotency_key,
            tenant: grant.tenant,
            deadline: deadline.into_std(),
            cancel: job.cancel.clone(),
            blobs,
            trace,
        };
        if fail::point("before_run").await == Passed::Error {
            return Err(Failure::transient("failpoint", "told to fail before the run"));
        }
        let result = match shared.tool(&grant.tool) {
            Some((_, Tool::Io(tool))) => tool.call(args, &call).await,
            Some((_, Tool::Cpu(tool))) => compute(&shared.cpu, tool.clone(), args, call, slot).await,
            None => Err(Failure::transient("unknown_tool", "this worker does not have the tool")),
        };
        fail::point("after_run").await;
        result
    };
    AssertUnwindSafe(work).catch_unwind().map(|caught| caught.unwrap_or_else(|panic| Err(panicked(&*panic)))).boxed()
}

/// Runs a cpu tool. Its slot stays taken until the thread is free again, even if nobody
/// waits for it any more.
async fn compute(
    pool: &CpuPool,
    tool: Arc<dyn CpuTool>,
    args: Value,
    call: Call,
    slot: Arc<OwnedSemaphorePermit>,
) -> ToolResult {
    let runtime = tokio::runtime::Handle::current();
    let (about, span) = (About::current(), tracing::Span::current());
    let work = move || {
        let _slot = slot;
        let call = || span.in_scope(|| tool.call(args, &call, &runtime));
        let run = || match about {
            Some(about) => about.in_scope(call),
            None => call(),
        };
        std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(&*panic)))
    };
    match pool {
        CpuPool::Inline => work(),
        CpuPool::Rayon(pool) => {
            let (tell, told) = oneshot::channel();
            pool.spawn(move || {
                // Nobody may be waiting any more: the attempt's time was over.
                let _ = tell.send(work());
            });
            told.await.unwrap_or_else(|_| Err(Failure::permanent("tool_panicked", "the tool's thread went away")))
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    // The message may quote arguments: it goes to no record, only the hook has seen it.
    tracing::error!(kind = if panic.is::<String>() { "text" } else { "other" }, "tool panicked");
    Failure::permanent("tool_panicked", "the tool panicked")
}
