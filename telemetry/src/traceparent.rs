//! Trace context as the W3C `traceparent` text that travels in envelopes, claims and calls.
//!
//! How a carrier holds that text (AMQP headers, gRPC metadata) is up to those who own it.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::names;

/// The context of the current span; `None` outside of spans or while no spans are exported.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    Span::current().traceparent()
}

/// Trace context of a span, in and out.
pub trait SpanExt {
    /// Makes the span a child of `traceparent`. Call it before the span is first entered;
    /// without a well-formed text the span stays as it is.
    fn set_parent_from(&self, traceparent: Option<&str>);

    /// Links the span to `traceparent`: to what went before it without being its parent,
    /// such as the part of a run before a long wait.
    fn add_link_from(&self, traceparent: Option<&str>);

    /// The span's own context, for those who continue it elsewhere.
    fn traceparent(&self) -> Option<String>;
}

impl SpanExt for Span {
    fn set_parent_from(&self, traceparent: Option<&str>) {
        if let Some(context) = traceparent.and_then(parse) {
            // Fails where spans are not exported or this one was entered: it is a root then.
            let _ = self.set_parent(context);
        }
    }

    fn add_link_from(&self, traceparent: Option<&str>) {
        if let Some(context) = traceparent.and_then(parse) {
            self.add_link(context.span().span_context().clone());
        }
    }

    fn traceparent(&self) -> Option<String> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&self.context(), &mut carrier);
        carrier.remove(names::TRACEPARENT)
    }
}

fn parse(traceparent: &str) -> Option<Context> {
    let carrier = HashMap::from([(names::TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn while_tracing(speak: impl FnOnce()) {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), speak);
    }

    #[test]
    fn a_span_continues_the_trace_it_was_handed() {
        while_tracing(|| {
            let span = tracing::info_span!("job");
            span.set_parent_from(Some(PARENT));
            let own = span.in_scope(current_traceparent).expect("a context");
            assert_eq!(own[..36], PARENT[..36], "the trace id goes on");
            assert_ne!(own, PARENT, "the span id is the span's own");
            assert!(own.ends_with("-01"), "the sampling decision goes on: {own}");

            let next = tracing::info_span!("resume");
            next.set_parent_from(Some(&own));
            assert_eq!(next.traceparent().expect("a context")[..36], PARENT[..36]);
        });
    }

    #[test]
    fn a_malformed_traceparent_starts_a_new_trace() {
        while_tracing(|| {
            for text in ["", "00-xyz", &PARENT[..50], "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
                let span = tracing::info_span!("job");
                span.set_parent_from(Some(text));
                let own = span.traceparent().expect("a context");
                assert_ne!(own[3..35], PARENT[3..35], "{text:?}");
            }
        });
    }

    #[test]
    fn without_a_collector_there_is_no_context_and_no_harm() {
        let span = tracing::info_span!("job");
        span.set_parent_from(Some(PARENT));
        span.add_link_from(Some(PARENT));
        assert_eq!(span.in_scope(current_traceparent), None);
    }
}
