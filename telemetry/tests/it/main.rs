//! Telemetry as a process sees it: set up once, sent to a collector, taken down in time.

mod collector;
mod shipped;

use baton_common::TraceContext;
use baton_telemetry::trace::{self, Kind, Span};
use baton_telemetry::{Error, Options, init, names};
use collector::Collector;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// One process has one subscriber, so this is one test: set up, used, set up again, taken down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_and_a_second_set_up_changes_nothing() {
    let collector = Collector::start().await;
    let options = Options { otlp_endpoint: Some(collector.endpoint()), ..Options::new("baton-test") };
    let guard = init(&options).expect("set up");
    assert!(guard.installed());
    let second = init(&options).expect("set up twice");
    assert!(!second.installed());
    second.shutdown().await;

    assert!(trace::is_on());
    let parent = TraceContext::read(Some(PARENT));
    let span = Span::child(names::SPAN_TOOL, Kind::Internal, parent).with(|span| {
        span.set(names::RUN_ID, "r-1").fail("test_code");
    });
    assert_eq!(span.context().map(|own| own.trace), parent.map(|parent| parent.trace));
    drop(span);
    drop(Span::child(names::SPAN_CLAIM, Kind::Client, parent.map(|parent| parent.with_sampled(false))));
    drop(Span::child(names::SPAN_CLAIM, Kind::Client, None));
    guard.shutdown().await;

    let span = collector.only_span();
    assert!(!trace::is_on(), "nobody takes spans any more");
    assert_eq!(span.name, "execute_tool");
    assert_eq!(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent, "b7ad6b7169203331");
    assert_eq!(span.service, "baton-test");
    assert!(span.keys.contains(&"baton.run_id".to_owned()), "{:?}", span.keys);
}

#[test]
fn a_malformed_address_is_refused_at_the_start() {
    let options = Options { otlp_endpoint: Some("http://[".to_owned()), ..Options::new("baton-test") };
    // The other test may have set the process up already; the address is looked at all the same.
    assert!(matches!(init(&options), Err(Error::Endpoint { .. })));
}
