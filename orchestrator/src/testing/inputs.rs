//! Where a job's arguments come from, what a thread keeps, and when time is over.

use baton_common::GraphHash;
use baton_engine::graph::Reducer;
use baton_store::Registry as _;
use serde_json::json;

use super::graphs::{graph, tool};
use super::*;
use crate::api::{GraphSource, Status};

fn hello() -> Compiled {
    let first = tool("a", &json!({"text": "{{ input.name }}"}), &[("out", "output.text")], &["b"]);
    graph("hello", vec![first, tool("b", &json!({"text": "hi {{ state.out }}"}), &[("out", "output.text")], &[])])
}

/// A graph whose channel grows, over the runs of its thread.
fn diary() -> Compiled {
    let mut diary = graph("diary", vec![tool("a", &json!({"n": "{{ input.n }}"}), &[("out", "output.n")], &[])]);
    if let Some(out) = diary.graph.channels.get_mut("out") {
        (out.reducer, out.keep, out.default) = (Reducer::Append, true, json!([]));
    }
    diary
}

#[tokio::test(start_paused = true)]
async fn large_arguments_are_made_again_at_the_claim() {
    let long = "x".repeat(10_000);
    for settings in [1, 2].map(|seed| Settings { seed, ..Settings::default() }) {
        let rig = Rig::new(vec![hello()], settings.clone()).await;
        let run = rig.submit("hello", json!({"name": long})).await;
        let rig = if settings.seed == 2 {
            rig.until(run, |view| !view.groups.is_empty()).await;
            let (store, broker) = (rig.store.clone(), rig.broker.clone());
            rig.stop().await;
            Rig::over(store, broker, vec![hello()], settings).await
        } else {
            rig
        };
        rig.work(echo);
        assert_eq!(rig.end(run).await.output, Some(json!({"out": format!("hi {long}")})));
        assert!(rig.store.take(&[]).contains_key("read checkpoint"), "the input was kept as a recipe");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_reaches_the_worker_and_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "s3cret\n").unwrap();
    let secrets = BTreeMap::from([("KEY".to_owned(), format!("file:{}", file.display()))]);
    let args = json!({"auth": "Bearer {{ secret.KEY }}", "text": "{{ input.text }}"});
    let node = tool("a", &args, &[("out", "1")], &[]);
    let other = tool("b", &json!({"auth": "{{ secret.OTHER }}"}), &[("out", "2")], &[]);
    let graphs = || vec![graph("secret", vec![node.clone()]), graph("missing", vec![other.clone()])];
    let memory = MemoryStore::new(Timings::default());
    let settings = Settings { secrets, ..Settings::default() };
    let rig = Rig::over(Counting::new(memory.clone()), Memory::default(), graphs(), settings).await;
    rig.work(|_| Some(Outcome::value(json!({}))));
    // What comes from outside does not become a secret, however it is written.
    let lure = "{{ secret.KEY }}";
    let run = rig.submit("secret", json!({"text": lure})).await;
    assert_eq!(rig.end(run).await.summary.status, Status::Succeeded);
    assert_eq!(inline(&rig.ran.lock()[0].args), json!({"auth": "Bearer s3cret", "text": lure}));
    let run = rig.submit_as("missing", json!({}), "r-2", None).await;
    let failure = rig.end(run).await.failure.unwrap();
    assert_eq!((failure.node.as_str(), failure.failure.code.as_str()), ("b", "secret_missing"));
    for partition in memory.used_partitions() {
        assert!(!format!("{:?}", memory.dump(partition)).contains("s3cret"));
    }
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thread_keeps_what_it_is_told_to_over_runs_and_processes() {
    let memory = Counting::new(MemoryStore::new(Timings::default()));
    for n in 1..=3 {
        let settings = Settings { seed: n, ..Settings::default() };
        let rig = Rig::over(memory.clone(), Memory::default(), vec![diary()], settings).await;
        rig.work(echo);
        let run = rig.submit_as("diary", json!({"n": n}), &format!("r-{n}"), Some("t-1")).await;
        assert_eq!(rig.end(run).await.output, Some(json!({"out": (1..=n).collect::<Vec<_>>()})));
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_its_time_is_over() {
    let mut slow = hello();
    slow.graph.limits.duration_ms = Some(60_000);
    let rig = Rig::new(vec![slow], Settings::default()).await;
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let view = rig.end(run).await;
    assert_eq!(view.summary.status, Status::Failed);
    assert_eq!(view.failure.unwrap().failure.code, "limit_exceeded");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_thread_refuses_and_a_used_request_id_conflicts() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.submit_as("hello", json!({"name": "Ada"}), "r-1", Some("t-1")).await;
    for (request, name, code) in [("r-2", "Ada", "thread_busy"), ("r-1", "Bob", "request_id_reused")] {
        let request = SubmitRequest {
            graph: GraphRef::Hash(GraphHash(baton_common::Digest::of("hello"))),
            input: json!({"name": name}),
            request_id: RequestId::parse(request).ok(),
            thread: baton_common::ThreadId::parse("t-1").ok(),
            traceparent: None,
            record: false,
        };
        let refused = rig.orchestrator.submit(&Caller::local(), request).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_str()), (crate::api::ErrorKind::Conflict, code));
    }
    rig.stop().await;
}

/// Needs no worker's tools, so that it can be submitted as a text.
const QUESTION: &str =
    "baton: 1\ngraph: question\nstart: ask\nnodes:\n  ask:\n    ask: { title: Good? }\n    then: end\n";

#[tokio::test(start_paused = true)]
async fn a_graph_the_store_forgot_is_kept_anew_with_the_next_run() {
    let memory = MemoryStore::new(Timings::default());
    let rig = Rig::over(Counting::new(memory.clone()), Memory::default(), Vec::new(), Settings::default()).await;
    let submit = async |request: &str| {
        let files = BTreeMap::new();
        let source = GraphSource { text: QUESTION.to_owned(), name: "question.yaml".to_owned(), files };
        let request = SubmitRequest {
            graph: GraphRef::Source(source),
            input: json!({}),
            request_id: RequestId::parse(request).ok(),
            thread: None,
            traceparent: None,
            record: false,
        };
        rig.orchestrator.submit(&Caller::local(), request).await.unwrap()
    };
    let before = memory.snapshot();
    let first = submit("one").await;
    memory.roll_back(before);
    let tenant = Caller::local().tenant;
    assert_eq!(memory.graph(&tenant, first.graph).await.unwrap(), None);
    let second = submit("two").await;
    assert!(memory.graph(&tenant, second.graph).await.unwrap().is_some(), "another process finds it");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_expression_reads_a_result_of_any_size_a_record_does_not_hold() {
    let out = [("out", "size(output.items)"), ("out", "output.items[2]")];
    for (save, expected) in out.into_iter().zip([json!(50_000), json!("item 2")]) {
        let rig = Rig::new(vec![graph("large", vec![tool("a", &json!({}), &[save], &[])])], Settings::default()).await;
        let run = rig.submit("large", json!({})).await;
        let items: Vec<String> = (0..50_000).map(|number| format!("item {number}")).collect();
        rig.work(move |_| Some(Outcome::value(json!({"items": items.clone()}))));
        assert_eq!(rig.end(run).await.output, Some(json!({"out": expected})));
        rig.stop().await;
    }
}
