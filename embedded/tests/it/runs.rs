//! What a person may expect of a run.

use std::time::{Duration, Instant};

use baton_common::records::EventKind;
use baton_orchestrator::api::{Caller, ErrorKind, Status, Which};
use serde_json::json;

use crate::rig::{claimed, end, is, options, start, submit, try_submit, until};

const HELLO: &str = r#"
baton: 1
graph: hello
input: { name: string }
output: { greeting: state.greeting }
state: { greeting: string }
start: greet
nodes:
  greet:
    tool: { name: debug.echo, args: { text: "Hello, {{ input.name }}!" } }
    save: { greeting: output.text }
    then: check
  check:
    tool: { name: debug.spin, args: { ms: 1 } }
    then: end
"#;

const FAN: &str = r#"
baton: 1
graph: fan
input: { list: array }
output: { list: state.list }
state: { list: array }
start: fan
nodes:
  fan:
    for_each: input.list
    max_parallel: 4
    tool: { name: debug.echo, args: { n: "{{ item }}" } }
    save: { list: "output.map(o, o.n)" }
    then: end
"#;

const ASK: &str = r#"
baton: 1
graph: ask
input: { draft: string }
output: { text: state.text, by: state.by }
state: { text: string, by: string }
start: approve
nodes:
  approve:
    ask: { title: "Publish {{ input.draft }}?", edit: input.draft, allow: [approve, edit, reject] }
    save: { text: output.value, by: output.by }
    then: end
"#;

const RETRY: &str = r#"
baton: 1
graph: retry
output: { attempt: state.attempt }
state: { attempt: integer }
start: shaky
nodes:
  shaky:
    tool: { name: debug.fail, args: { class: transient, code: shaky, times: 2 } }
    retry: { attempts: 3, backoff: 50ms..100ms }
    save: { attempt: output.attempt }
    then: end
"#;

const BROKEN: &str = r#"
baton: 1
graph: broken
start: fine
nodes:
  fine:
    tool: { name: debug.echo, args: { a: 1 } }
    then: breaks
  breaks:
    tool: { name: debug.fail, args: { class: permanent, code: out_of_order } }
    then: end
"#;

const SLEEP: &str = r#"
baton: 1
graph: sleep
start: nap
nodes:
  nap:
    tool: { name: debug.sleep, args: { ms: 60000 } }
    then: end
"#;

#[tokio::test]
async fn hello_runs_on_both_classes_and_starts_fast() {
    let began = Instant::now();
    let cluster = start(options(None)).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "started in {took:?}");
    let run = submit(&cluster, HELLO, json!({"name": "Ada"})).await;
    let (view, events) = end(&cluster, run).await;
    assert_eq!(view.output, Some(json!({"greeting": "Hello, Ada!"})), "{view:?}");
    let claims = events.iter().filter(|event| event.kind == EventKind::Claimed).count();
    assert_eq!(claims, 2, "each job is claimed once");
    assert!(try_submit(&cluster, HELLO, json!({"name": "Ada"})).await.unwrap().existed);
    cluster.stop().await;
}

#[tokio::test]
async fn a_fan_out_gives_its_results_in_order() {
    let cluster = start(options(None)).await;
    let list: Vec<u32> = (0..60).collect();
    let run = submit(&cluster, FAN, json!({"list": list})).await;
    assert_eq!(end(&cluster, run).await.0.output, Some(json!({"list": list})));
    cluster.stop().await;
}

#[tokio::test]
async fn a_run_waits_for_an_approval_and_goes_on() {
    let cluster = start(options(None)).await;
    let run = submit(&cluster, ASK, json!({"draft": "issue 7"})).await;
    let view = until(&cluster, run, |view| is(view, Status::Waiting)).await;
    assert_eq!(view.questions[0].question.title, "Publish issue 7?");
    assert_eq!(cluster.api().inbox(&Caller::local(), 0).await.unwrap().len(), 1);
    let decision = json!({"action": "edit", "value": "issue 8"});
    let which = Which::Node("approve".to_owned());
    cluster.api().answer(&Caller::local(), run, which, decision).await.unwrap();
    assert_eq!(end(&cluster, run).await.0.output, Some(json!({"text": "issue 8", "by": "local"})));
    assert!(cluster.api().inbox(&Caller::local(), 0).await.unwrap().is_empty());
    cluster.stop().await;
}

#[tokio::test]
async fn a_shaky_tool_succeeds_at_its_third_attempt() {
    let cluster = start(options(None)).await;
    let run = submit(&cluster, RETRY, json!({})).await;
    let (view, events) = end(&cluster, run).await;
    assert_eq!(view.output, Some(json!({"attempt": 3})), "{view:?}");
    let retries = events.iter().filter(|event| event.kind == EventKind::Recorded && event.text == "retry").count();
    assert_eq!(retries, 2);
    cluster.stop().await;
}

#[tokio::test]
async fn a_failure_names_its_node_and_code() {
    let cluster = start(options(None)).await;
    let run = submit(&cluster, BROKEN, json!({})).await;
    let (view, _) = end(&cluster, run).await;
    let failure = view.failure.unwrap();
    assert_eq!((view.summary.status, failure.node.as_str()), (Status::Failed, "breaks"));
    assert_eq!(failure.failure.code, "out_of_order");
    cluster.stop().await;
}

#[tokio::test]
async fn a_cancel_stops_a_job_under_way() {
    let cluster = start(options(None)).await;
    let run = submit(&cluster, SLEEP, json!({})).await;
    until(&cluster, run, claimed).await;
    cluster.api().cancel(&Caller::local(), run).await.unwrap();
    assert_eq!(end(&cluster, run).await.0.summary.status, Status::Cancelled);
    cluster.stop().await;
}

#[tokio::test]
async fn bad_input_gets_one_clear_error() {
    let cluster = start(options(None)).await;
    let refused = try_submit(&cluster, HELLO, json!({"nam": "Ada"})).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Invalid, "invalid_input"), "{refused:?}");
    let refused =
        try_submit(&cluster, &HELLO.replace("debug.echo", "debug.ekko"), json!({"name": "A"})).await.unwrap_err();
    assert_eq!(refused.code, "unknown_tool", "{refused:?}");
    assert!(refused.cause.contains("did you mean debug.echo?"), "{refused:?}");
    let refused = try_submit(&cluster, &HELLO.replace("then: check", "then: chek"), json!({})).await.unwrap_err();
    assert_eq!(refused.code, "invalid_graph", "{refused:?}");
    assert!(refused.cause.contains("test.yaml:12"), "{refused:?}");
    assert!(cluster.api().list(&Caller::local(), Default::default()).await.unwrap().is_empty());
    cluster.stop().await;
}
