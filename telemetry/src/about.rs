//! What log lines are about: the ids of a run, or of one of its jobs, said once and carried by
//! every line within.
//!
//! They stand in spans of the log, which hold no time and go to no collector (those are
//! [`trace`](crate::trace)'s). Such a span never lies within another: what is begun on behalf of
//! a job and is about a run says the run's ids and no job's. Where they are printed is up to the
//! form of the lines.

use baton_common::{JobId, RunId, ThreadId, TraceContext};

/// The target of these spans: on whatever lines are let through.
pub(crate) const TARGET: &str = "baton_about";

/// Lines about a run. `trace` is the trace they belong to where spans of the run are kept, else
/// the run's own number stands in for it.
#[must_use]
pub fn run(run: RunId, thread: Option<&ThreadId>, trace: Option<TraceContext>) -> tracing::Span {
    tracing::error_span!(
        target: TARGET,
        parent: None,
        "run",
        run = %run,
        thread = thread.map(display),
        trace_id = trace_id(run, trace)
    )
}

/// Lines about a job, and about an attempt at it where one is named.
#[must_use]
pub fn job(job: &JobId, attempt: Option<u32>, thread: Option<&ThreadId>, trace: Option<TraceContext>) -> tracing::Span {
    tracing::error_span!(
        target: TARGET,
        parent: None,
        "job",
        run = %job.run,
        thread = thread.map(display),
        job = %job,
        node = %job.group.node,
        attempt,
        trace_id = trace_id(job.run, trace)
    )
}

/// The trace's id as log lines and search fields show it.
fn trace_id(run: RunId, trace: Option<TraceContext>) -> String {
    let trace = trace.filter(|trace| trace.sampled);
    trace.unwrap_or_else(|| crate::trace::beginning(run.uuid.as_u128())).trace_id()
}
