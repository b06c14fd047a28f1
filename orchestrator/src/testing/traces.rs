//! Spans of the control plane: what goes on with what, through records, messages and claims. The
//! worker beside it makes none of its own, and hands on what it was handed.

use baton_common::{RequestId, RunId, TenantId, ThreadId, ThreadKey, TraceContext};
use baton_telemetry::trace::testing::{Seen, Spans, spans};
use serde_json::json;

use super::graphs::{approval, graph, tool};
use super::{Rig, echo};
use crate::api::{Caller, GraphRef, SubmitRequest, Which};
use crate::settings::Settings;

/// The caller's span at the submit, and at the answer.
const SUBMITTER: TraceContext = TraceContext { trace: 0x9001, span: 21, sampled: false };
const ANSWERER: TraceContext = TraceContext { trace: 0x9002, span: 22, sampled: false };

/// The run that this request id names.
pub(super) fn run_of(request: &RequestId) -> RunId {
    let tenant = TenantId::local();
    let thread = ThreadId::for_request(&tenant, request);
    RunId::for_submit(&ThreadKey { tenant, thread }, Some(request))
}

/// A job, a question, and another job.
async fn one_run(request: &str, caller: &Caller, answerer: Option<TraceContext>) -> RunId {
    let nodes = vec![
        tool("first", &json!({"text": "a"}), &[], &["ok"]),
        approval("ok", "input.text", &[("out", "output.value")], &["last"]),
        tool("last", &json!({"text": "b"}), &[], &[]),
    ];
    let rig = Rig::new(vec![graph("traced", nodes)], Settings::default()).await;
    rig.work(echo);
    let request = SubmitRequest {
        graph: GraphRef::Hash(baton_common::GraphHash(baton_common::Digest::of("traced"))),
        input: json!({"text": "draft"}),
        request_id: RequestId::parse(request).ok(),
        thread: None,
        traceparent: None,
        record: false,
    };
    let run = rig.orchestrator.submit(caller, request).await.unwrap().run;
    rig.until(run, |view| !view.questions.is_empty()).await;
    let answerer = Caller { trace: answerer, ..Caller::local() };
    let which = Which::Node("ok".to_owned());
    rig.orchestrator.answer(&answerer, run, which, json!({"action": "approve"})).await.unwrap();
    rig.end(run).await;
    rig.stop().await;
    run
}

pub(super) fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name == name).collect()
}

pub(super) fn parent<'a>(spans: &'a [Seen], of: &Seen) -> &'a Seen {
    spans.iter().find(|span| span.context.span == of.parent).unwrap_or_else(|| panic!("{of:?} has no parent"))
}

pub(super) fn link<'a>(spans: &'a [Seen], of: &Seen, why: &str) -> &'a Seen {
    let (to, _) = of.links.iter().find(|(_, known)| known == why).unwrap_or_else(|| panic!("{of:?}: no {why}"));
    spans.iter().find(|span| span.context == *to).unwrap_or_else(|| panic!("{of:?}: {why} leads nowhere"))
}

/// The spans of the segment that followed an answer.
fn woken(all: &Spans) -> Vec<Seen> {
    let mut linked = all.linked_to(ANSWERER.trace);
    assert_eq!(linked.len(), 1, "{linked:?}");
    all.of(linked.remove(0).context.trace)
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_followed_from_its_end_to_its_submit() {
    let all = spans();
    all.keep(run_of(&RequestId::parse("traced-1").unwrap()).uuid.as_u128());
    let caller = Caller { trace: Some(SUBMITTER), ..Caller::local() };
    one_run("traced-1", &caller, Some(ANSWERER)).await;
    let (first, second, answers) = (all.of(SUBMITTER.trace), woken(&all), all.of(ANSWERER.trace));

    // The second segment, from its last superstep to its first span.
    let folding = named(&second, "superstep");
    let chain = |spans: &[Seen], of: &Seen| -> Vec<String> {
        let mut at = link(spans, of, "caused_by").clone();
        let mut names = vec![at.name.clone()];
        while let Some(next) = spans.iter().find(|span| span.context.span == at.parent) {
            names.push(next.name.clone());
            at = next.clone();
        }
        names
    };
    let hop = ["baton.v1.ControlPlane/Resume", "baton.v1.ControlPlane/Claim", "send io.normal", "superstep"];
    let with = |further: &[&'static str]| [&hop, further].concat();
    let caused = folding.iter().filter(|span| parent(&second, span).name == "invoke_workflow traced").count();
    assert_eq!(caused, folding.len(), "every superstep stands below its segment");
    let last = folding.iter().find(|span| link_is(&second, span, "baton.v1.ControlPlane/Resume")).unwrap();
    assert_eq!(chain(&second, last), with(&["invoke_workflow traced"]));

    // What woke it, and where it was parked.
    let opening = named(&second, "invoke_workflow traced")[0];
    assert_eq!(opening.parent, 0, "a segment is a trace of its own");
    let answer = link(&answers, opening, "woken_by");
    assert_eq!((answer.name.as_str(), answer.parent), ("answer", ANSWERER.span));
    let parked = link(&first, opening, "previous_segment");

    // The first segment goes on with the caller's own span.
    assert_eq!(chain(&first, parked), with(&["invoke_workflow traced", "submit"]));
    assert_eq!(named(&first, "submit")[0].parent, SUBMITTER.span);
    for superstep in named(&first, "superstep").into_iter().chain(folding) {
        let spans = if superstep.context.trace == SUBMITTER.trace { &first } else { &second };
        assert!(named(spans, "commit").iter().any(|commit| commit.parent == superstep.context.span));
    }
}

/// Whether a superstep was caused by a span of that name.
fn link_is(spans: &[Seen], of: &Seen, name: &str) -> bool {
    let to = of.links.iter().find(|(_, why)| why == "caused_by").map(|(to, _)| *to);
    spans.iter().any(|span| Some(span.context) == to && span.name == name)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_kept_leaves_no_span_and_carries_nothing() {
    let all = spans();
    let own = TraceContext { trace: 0x9003, span: 23, sampled: true };
    let caller = Caller { trace: Some(own), ..Caller::local() };
    one_run("not-traced", &caller, None).await;
    assert_eq!(all.of(own.trace), [], "that its caller keeps spans makes no difference");
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_callers_span_is_a_trace_of_its_own_name() {
    let all = spans();
    let run = run_of(&RequestId::parse("traced-2").unwrap());
    all.keep(run.uuid.as_u128());
    assert_eq!(one_run("traced-2", &Caller::local(), None).await, run);
    let spans = all.of(run.uuid.as_u128());
    assert_eq!(named(&spans, "submit")[0].parent, 0);
    assert!(named(&spans, "commit").len() >= 2, "{spans:?}");
}
