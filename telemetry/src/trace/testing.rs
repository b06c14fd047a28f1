//! Spans for tests: kept in memory, for the whole process, as tests of one process share it.
//! A test says which runs it wants spans of, and finds its own by their trace.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use baton_common::TraceContext;
use opentelemetry_sdk::trace::SpanData;
use parking_lot::Mutex;

use super::tracer::Sink;
use super::{Tracer, install};

/// A span as a test looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Itself.
    pub context: TraceContext,
    /// Its parent; 0 for a root.
    pub parent: u64,
    /// What it is linked to, and why.
    pub links: Vec<(TraceContext, String)>,
    /// Its attributes, as text.
    pub attributes: Vec<(String, String)>,
}

/// All spans that have ended since the first call in this process.
#[derive(Debug, Clone, Default)]
pub struct Spans(Arc<Mutex<Vec<Seen>>>, Arc<Mutex<BTreeSet<u128>>>);

impl Sink for Spans {
    fn take(&self, span: SpanData) {
        self.0.lock().push(seen(&span));
    }

    fn keeps(&self, run: u128) -> bool {
        self.1.lock().contains(&run)
    }
}

/// Keeps spans of this process from now on: what goes on with others, and runs that are asked for.
///
/// # Panics
/// Where spans go somewhere else already.
pub fn spans() -> Spans {
    static SPANS: OnceLock<Spans> = OnceLock::new();
    let first = || {
        let spans = Spans::default();
        assert!(install(Tracer::new(spans.clone(), 0.0)), "spans go somewhere else");
        spans
    };
    SPANS.get_or_init(first).clone()
}

impl Spans {
    /// Spans of that run are wanted.
    pub fn keep(&self, run: u128) {
        self.1.lock().insert(run);
    }

    /// Those of a trace, in the order they ended.
    #[must_use]
    pub fn of(&self, trace: u128) -> Vec<Seen> {
        self.0.lock().iter().filter(|span| span.context.trace == trace).cloned().collect()
    }

    /// Those that are linked to a trace.
    #[must_use]
    pub fn linked_to(&self, trace: u128) -> Vec<Seen> {
        let linked = |span: &&Seen| span.links.iter().any(|(to, _)| to.trace == trace);
        self.0.lock().iter().filter(linked).cloned().collect()
    }
}

fn seen(span: &SpanData) -> Seen {
    let context = |of: &opentelemetry::trace::SpanContext| TraceContext {
        trace: u128::from_be_bytes(of.trace_id().to_bytes()),
        span: u64::from_be_bytes(of.span_id().to_bytes()),
        sampled: of.is_sampled(),
    };
    let why = |link: &opentelemetry::trace::Link| link.attributes.first().map(|why| why.value.to_string());
    let links = span.links.iter().map(|link| (context(&link.span_context), why(link).unwrap_or_default()));
    let attributes = span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string()));
    Seen {
        name: span.name.to_string(),
        context: context(&span.span_context),
        parent: u64::from_be_bytes(span.parent_span_id.to_bytes()),
        links: links.collect(),
        attributes: attributes.collect(),
    }
}
