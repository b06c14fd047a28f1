//! Spans of runs: made where work happens, sent once they have ended.
//!
//! Nothing is ambient. A span is begun as the child of a [`TraceContext`] that came with a
//! record, a message or a call, and hands its own on in the same way. Where that context is
//! not kept, or no collector is named, a span is `None` inside: it costs a branch.
//! Which spans there are is up to the planes, what they are called to [`names`](crate::names).

mod span;
pub mod testing;
mod tracer;

use std::sync::OnceLock;

use baton_common::TraceContext;
pub use opentelemetry::trace::SpanKind as Kind;

pub use self::span::{Live, Span};
pub(crate) use self::tracer::{Sink, Tracer};

/// Whoever takes spans of this process.
static TRACER: OnceLock<Tracer> = OnceLock::new();

/// Spans go to `tracer` from now on; `false` where they have somewhere to go already.
pub(crate) fn install(tracer: Tracer) -> bool {
    TRACER.set(tracer).is_ok()
}

/// Spans go nowhere from now on.
pub(crate) fn close() {
    if let Some(tracer) = TRACER.get() {
        tracer.close();
    }
}

/// Whoever takes spans, while anybody does.
fn tracer() -> Option<&'static Tracer> {
    TRACER.get().filter(|tracer| tracer.is_open())
}

/// Whether spans are sent at all.
#[must_use]
pub fn is_on() -> bool {
    tracer().is_some()
}

/// Whether spans of the run with that name are kept: the same in every process that was told the
/// same ratio.
#[must_use]
pub fn samples(run: u128) -> bool {
    tracer().is_some_and(|tracer| tracer.samples(run))
}

/// Where spans of a run go, which nobody kept any of before: the trace is named like the run.
/// There is no span to continue yet.
#[must_use]
pub fn beginning(run: u128) -> TraceContext {
    TraceContext { trace: run.max(1), span: 0, sampled: true }
}
