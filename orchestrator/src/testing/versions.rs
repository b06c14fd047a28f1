//! Runs that go on with another version of their graph.

use baton_common::{Digest, GraphHash};
use serde_json::json;

use super::graphs::{approval, graph, tool};
use super::*;
use crate::api::{MigrateRequest, Migrated, Migration, Status, Which};

fn quiet() -> Settings {
    Settings { sweep: false, ..Settings::default() }
}

fn hash(name: &str) -> GraphHash {
    GraphHash(Digest::of(name))
}

/// A version of the graph `trip`: writes, asks, and goes where `then` says.
fn version(name: &str, nodes: Vec<baton_engine::graph::Node>) -> Compiled {
    let mut compiled = graph("trip", nodes);
    compiled.graph.hash = hash(name);
    compiled
}

fn first() -> Compiled {
    let write = tool("write", &json!({"text": "{{ input.text }}"}), &[("out", "output.text")], &["ok"]);
    version("trip", vec![write, approval("ok", "state.out", &[("out", "output.value")], &[])])
}

/// The approval leads on to a node whose arguments are too large to be kept with its task.
fn second() -> Compiled {
    let write = tool("write", &json!({"text": "{{ input.text }}"}), &[("out", "output.text")], &["ok"]);
    let ask = approval("ok", "state.out", &[("out", "output.value")], &["more"]);
    let args = json!({"text": "{{ state.out }}, and more", "pad": "x".repeat(10_000)});
    version("trip two", vec![write, ask, tool("more", &args, &[("out", "output.text")], &[])])
}

/// Has no question.
fn third() -> Compiled {
    let write = tool("write", &json!({"text": "{{ input.text }}"}), &[("out", "output.text")], &[]);
    version("trip three", vec![write])
}

async fn submit(rig: &Rig, request: &str) -> RunId {
    let request = SubmitRequest {
        graph: GraphRef::Hash(hash("trip")),
        input: json!({"text": "draft"}),
        request_id: RequestId::parse(request).ok(),
        thread: None,
        traceparent: None,
        record: true,
    };
    rig.orchestrator.submit(&Caller::local(), request).await.unwrap().run
}

async fn migrate(rig: &Rig, to: &str, dry_run: bool) -> Migration {
    let request = MigrateRequest { graph: "trip".to_owned(), to: Some(hash(to)), dry_run, ..MigrateRequest::default() };
    rig.orchestrator.migrate(&Caller::local(), request).await.unwrap()
}

async fn approve(rig: &Rig, run: RunId) {
    let which = Which::Node("ok".to_owned());
    rig.orchestrator.answer(&Caller::local(), run, which, json!({"action": "approve"})).await.unwrap();
}

async fn waiting(rig: &Rig, run: RunId) -> RunView {
    rig.until(run, |view| view.summary.status == Status::Waiting).await
}

/// Two orchestrators over one store; the second has a worker, and takes submits.
async fn two() -> (Rig, Rig) {
    let versions = || vec![first(), second(), third()];
    let store = Counting::new(MemoryStore::new(Timings::default()));
    let broker = Memory::default();
    let one = Rig::over(store.clone(), broker.clone(), versions(), quiet()).await;
    let other = Rig::over(store, broker, versions(), quiet()).await;
    other.work(echo);
    (one, other)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_goes_on_as_the_version_it_was_moved_to_says() {
    let (one, other) = two().await;
    let run = submit(&other, "r").await;
    waiting(&other, run).await;
    let tried = migrate(&one, "trip two", true).await;
    assert_eq!((tried.runs.len(), &tried.runs[0].result, tried.next), (1, &Migrated::Fits, None));
    assert_eq!(one.get(run).await.summary.graph, hash("trip"), "it was looked at only");
    let moved = migrate(&one, "trip two", false).await;
    assert_eq!((moved.runs[0].run, moved.runs[0].from), (run, hash("trip")));
    assert_eq!(moved.runs[0].result, Migrated::Migrated);
    assert_eq!(migrate(&one, "trip two", false).await.runs, [], "repeating it changes nothing");
    // The other one remembers the run as it was: it claims a job that only the new version knows.
    approve(&one, run).await;
    let view = other.end(run).await;
    assert_eq!(view.output, Some(json!({"out": "draft, and more"})), "{view:?}");
    assert_eq!(view.summary.graph, hash("trip two"));
    let ran: Vec<String> = other.ran.lock().iter().map(|grant| grant.job.group.to_string()).collect();
    assert_eq!(ran, ["write#1", "more#1"], "activations are counted by node in both versions");
    let replay = one.orchestrator.replay(&Caller::local(), run).await.unwrap();
    assert_eq!((replay.advances, replay.difference), (4, None), "each advance with the version it was made with");
    let audit = one.orchestrator.audit(&Caller::local(), crate::api::AuditFilter::default()).await.unwrap();
    let entry = audit.iter().find(|entry| entry.operation == "migrate").unwrap();
    assert_eq!((entry.run, entry.subject.clone()), (run, format!("{} {}", hash("trip"), hash("trip two"))));
    one.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_on_from_what_it_remembers_of_the_old_version() {
    let (one, other) = two().await;
    let run = submit(&other, "r").await;
    waiting(&other, run).await;
    migrate(&one, "trip two", false).await;
    // The one that made the last state and pinned it to the old version folds the answer.
    approve(&other, run).await;
    let view = other.end(run).await;
    assert_eq!(view.output, Some(json!({"out": "draft, and more"})), "{view:?}");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_fit_stays_with_its_version() {
    let (one, other) = two().await;
    let (run, done) = (submit(&other, "r").await, submit(&other, "done").await);
    waiting(&other, run).await;
    waiting(&other, done).await;
    approve(&other, done).await;
    other.end(done).await;
    for dry_run in [true, false] {
        let refused = migrate(&one, "trip three", dry_run).await;
        assert_eq!(refused.runs.len(), 1, "what is over is left alone: {refused:?}");
        let Migrated::Misfit(misfits) = &refused.runs[0].result else { panic!("{refused:?}") };
        assert_eq!((misfits.len(), misfits[0].code, misfits[0].node.as_str()), (1, "node_gone", "ok"));
    }
    approve(&one, run).await;
    let view = other.end(run).await;
    assert_eq!((view.output, view.summary.graph), (Some(json!({"out": "draft"})), hash("trip")));
    one.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn runs_are_moved_page_by_page_and_only_those_of_the_version_asked_for() {
    let rig = Rig::new(vec![first(), second(), graph("other", vec![tool("a", &json!({}), &[], &[])])], quiet()).await;
    rig.work(echo);
    let mut runs = Vec::new();
    for request in ["a", "b", "c"] {
        runs.push(submit(&rig, request).await);
        waiting(&rig, runs[runs.len() - 1]).await;
    }
    let ask = |from: Option<&str>, to: &str, before| MigrateRequest {
        graph: "trip".to_owned(),
        from: from.map(hash),
        to: Some(hash(to)),
        dry_run: false,
        before,
        limit: 2,
    };
    let caller = Caller::local();
    let none = rig.orchestrator.migrate(&caller, ask(Some("trip two"), "trip two", None)).await.unwrap();
    assert_eq!(none.runs, []);
    let page = rig.orchestrator.migrate(&caller, ask(None, "trip two", None)).await.unwrap();
    assert_eq!(page.runs.len(), 2);
    let rest = rig.orchestrator.migrate(&caller, ask(Some("trip"), "trip two", page.next)).await.unwrap();
    assert_eq!((rest.runs.len(), rest.next), (1, None));
    for run in runs {
        assert_eq!(rig.get(run).await.summary.graph, hash("trip two"));
    }
    let wrong = rig.orchestrator.migrate(&caller, ask(None, "other", None)).await.unwrap_err();
    assert_eq!(wrong.code, "other_graph");
    let unknown = rig.orchestrator.migrate(&caller, ask(None, "nothing", None)).await.unwrap_err();
    assert_eq!(unknown.code, "graph_not_found");
    rig.stop().await;
}
