//! What log lines of the control plane are about: a run as it is known here, or a job of it.
//! Which ids that says, and where they stand in a line, is left to [`baton_telemetry::about`].

use baton_common::records::RunInfo;
use baton_common::{JobId, RunId, ThreadId, TraceContext};
use baton_control::Hold;
use baton_telemetry::about::{self, About};

use crate::orchestrator::Inner;
use crate::traces;

/// Lines about a run, in the trace of that segment where one is named.
pub(crate) fn of_run(info: &RunInfo, segment: Option<TraceContext>) -> About {
    about::run(info.id, Some(&info.thread.thread), segment.or_else(|| traces::of_run(info)))
}

/// Lines about a job that nobody works on: what they say of attempts is nothing.
pub(crate) fn of_job(info: &RunInfo, job: &JobId, segment: Option<TraceContext>) -> About {
    about::job(job, None, Some(&info.thread.thread), segment.or_else(|| traces::of_run(info)))
}

/// Lines about the attempt of whoever holds a job.
pub(crate) fn of_hold(inner: &Inner, hold: &Hold, trace: Option<TraceContext>) -> About {
    of_attempt(inner, &hold.job, (hold.attempt, hold.thread.as_ref()), trace)
}

/// Lines about an attempt at a job, with the thread that its message named.
pub(crate) fn of_attempt(
    inner: &Inner,
    job: &JobId,
    (attempt, thread): (Option<u32>, Option<&ThreadId>),
    trace: Option<TraceContext>,
) -> About {
    if thread.is_some() && trace.is_some() {
        return about::job(job, attempt, thread, trace);
    }
    let info = inner.states.info(job.run);
    let thread = thread.or_else(|| info.as_deref().map(|info| &info.thread.thread));
    about::job(job, attempt, thread, trace.or_else(|| info.as_deref().and_then(traces::of_run)))
}

impl Inner {
    /// Lines about a run of which the name is at hand. Nothing is read: where the run is not known
    /// in this process, they say no thread.
    pub(crate) fn about(&self, run: RunId) -> About {
        self.states.info(run).map_or_else(|| about::run(run, None, None), |info| of_run(&info, None))
    }

    /// The same for lines that are worth a read.
    pub(crate) async fn about_read(&self, run: RunId) -> About {
        // What is not known then is left out: the line says what is wrong.
        let _ = self.run_info(run).await;
        self.about(run)
    }
}
