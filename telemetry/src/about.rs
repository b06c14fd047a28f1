//! What log lines are about: the ids of a run, or of one of its jobs, said once and carried by
//! every line within.
//!
//! Work that is about something takes it along through every thread it is polled on; a line
//! writes the ids when it is written, so that work which says nothing pays for none of it. What is
//! begun on behalf of a job and is about a run says the run's ids and no job's. Spans that go to a
//! collector are [`trace`](crate::trace)'s. Where the ids are printed is up to the form of the
//! lines.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use baton_common::{JobId, RunId, ThreadId, TraceContext};
use pin_project_lite::pin_project;
use serde_json::Value;

thread_local! {
    /// What the lines of this thread are about now.
    static NOW: RefCell<Option<About>> = const { RefCell::new(None) };
}

/// What lines are about. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct About(Arc<Ids>);

#[derive(Debug)]
struct Ids {
    run: RunId,
    thread: Option<ThreadId>,
    job: Option<JobId>,
    attempt: Option<u32>,
    trace: Option<TraceContext>,
}

/// Lines about a run. `trace` is the trace they belong to where spans of the run are kept, else
/// the run's own number stands in for it.
#[must_use]
pub fn run(run: RunId, thread: Option<&ThreadId>, trace: Option<TraceContext>) -> About {
    About(Arc::new(Ids { run, thread: thread.cloned(), job: None, attempt: None, trace }))
}

/// Lines about a job, and about an attempt at it where one is named.
#[must_use]
pub fn job(job: &JobId, attempt: Option<u32>, thread: Option<&ThreadId>, trace: Option<TraceContext>) -> About {
    let same = |now: &About| {
        let ids = &*now.0;
        ids.job.as_ref() == Some(job) && ids.attempt == attempt && ids.thread.as_ref() == thread && ids.trace == trace
    };
    if let Some(now) = NOW.with_borrow(|now| now.as_ref().filter(|now| same(now)).cloned()) {
        return now;
    }
    About(Arc::new(Ids { run: job.run, thread: thread.cloned(), job: Some(job.clone()), attempt, trace }))
}

impl About {
    /// What the lines of this thread are about now, for work that goes on elsewhere.
    #[must_use]
    pub fn current() -> Option<Self> {
        NOW.with_borrow(Clone::clone)
    }

    /// Does something whose lines are about this.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _within = Within { before: NOW.replace(Some(self.clone())) };
        work()
    }

    /// The ids by their names in lines, in the order they are read in. What is not known is left
    /// out.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let Ids { run, thread, job, attempt, trace } = &*self.0;
        let node = job.as_ref().map(|job| job.group.node.to_string().into());
        let ids = [
            ("run", Some(run.to_string().into())),
            ("thread", thread.as_ref().map(|thread| thread.to_string().into())),
            ("job", job.as_ref().map(|job| job.to_string().into())),
            ("node", node),
            ("attempt", attempt.map(Value::from)),
            ("trace_id", Some(trace_id(*run, *trace).into())),
        ];
        ids.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Has the lines of work be about something.
pub trait Carry: Sized {
    /// The same work, whose lines are about this wherever it is polled.
    fn about(self, about: About) -> Carried<Self>;
}

impl<F: Future> Carry for F {
    fn about(self, about: About) -> Carried<Self> {
        Carried { work: self, about }
    }
}

pin_project! {
    /// Work whose lines are about something.
    #[derive(Debug)]
    #[must_use = "work does nothing unless it is polled"]
    pub struct Carried<F> {
        #[pin]
        work: F,
        about: About,
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.about.in_scope(|| this.work.poll(context))
    }
}

/// While it lives, lines of this thread are about something else than before.
struct Within {
    before: Option<About>,
}

impl Drop for Within {
    fn drop(&mut self) {
        NOW.set(self.before.take());
    }
}

/// The trace's id as log lines and search fields show it.
fn trace_id(run: RunId, trace: Option<TraceContext>) -> String {
    let trace = trace.filter(|trace| trace.sampled);
    trace.unwrap_or_else(|| crate::trace::beginning(run.uuid.as_u128())).trace_id()
}
