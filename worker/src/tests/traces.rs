//! The spans of a job, and how a worker hands their context on: each of them is put in by one
//! place, and each is missed.

use baton_broker::{Broker as _, Message};
use baton_common::TraceContext;
use baton_common::tool::QueueClass;
use baton_telemetry::trace::testing::{Seen, spans};
use serde_json::json;

use crate::testing::{Bench, job};

/// Runs one job whose message says that context, and answers what the control plane was told:
/// with the claim, and with the outcome.
async fn told(sent: TraceContext) -> (Option<String>, Option<TraceContext>) {
    let bench = Bench::new(QueueClass::Io);
    let id = job("t.io", 0);
    bench.control.book().jobs.insert(id.clone(), crate::testing::row(json!({})));
    let body = serde_json::to_vec(&bench.envelope(&id)).unwrap();
    let traceparent = Some(sent.to_string());
    bench
        .broker
        .publish(vec![Message { queue: bench.queue().into(), id: "id".to_owned(), body: body.into(), traceparent }])
        .await;
    let worker = bench.start();
    bench.until_done().await;
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
    let book = bench.control.book();
    (book.claims[0].envelope.traceparent.clone(), book.resumes[0].trace)
}

#[tokio::test(start_paused = true)]
async fn what_a_message_says_goes_on_through_claim_tool_and_outcome() {
    let (all, sent) = (spans(), TraceContext { trace: 0x7001, span: 11, sampled: true });
    let (claimed, resumed) = told(sent).await;
    let made = all.of(sent.trace);
    let named = |name: &str| -> Seen { made.iter().find(|span| span.name == name).unwrap().clone() };
    let [wait, claim] = [named("wait io.normal"), named("claim")];
    let [tool, resume] = [named("execute_tool t.io"), named("resume")];
    assert_eq!(wait.parent, sent.span, "the message's header is read");
    assert_eq!(claim.parent, wait.context.span);
    assert_eq!(claimed, Some(claim.context.to_string()), "the claim says it");
    assert_eq!(tool.parent, claim.context.span, "the grant says it");
    assert_eq!(resume.parent, tool.context.span);
    assert_eq!(resumed, Some(resume.context), "the outcome says it");
    assert_eq!(made.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_of_what_nobody_keeps() {
    let (all, sent) = (spans(), TraceContext { trace: 0x7002, span: 11, sampled: false });
    told(sent).await;
    assert_eq!(all.of(sent.trace), []);
}
