//! Spans of what was left behind: of the sweeper, and of whoever folds what another process was
//! told of.

use std::sync::atomic::{AtomicBool, Ordering};

use baton_common::TraceContext;
use baton_common::transition::Op;
use baton_engine::graph::Wait;
use baton_store::machine::Guards;
use baton_store::memory::{Fault, Faults};
use baton_telemetry::trace::testing::{Seen, spans};
use serde_json::json;

use super::graphs::{graph, tool, waits};
use super::traces::{link, named, parent, run_of};
use super::*;

fn attribute<'a>(span: &'a Seen, key: &str) -> &'a str {
    span.attributes.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value)
}

fn lone() -> Compiled {
    graph("lone", vec![tool("only", &json!({"n": 1}), &[], &[])])
}

/// A cluster in which all spans of that run of the graph are kept.
async fn kept(request: &str, graph: Compiled, store: MemoryStore) -> (Rig, RunId) {
    let run = run_of(&RequestId::parse(request).unwrap());
    spans().keep(run.uuid.as_u128());
    (Rig::over(Counting::new(store), Memory::default(), vec![graph], Settings::default()).await, run)
}

/// The end of a run, and its spans.
async fn ended(rig: Rig, run: RunId) -> (RunView, Vec<Seen>) {
    let view = rig.end(run).await;
    rig.stop().await;
    (view, spans().of(run.uuid.as_u128()))
}

/// The spans of a run of the graph over that store, with that worker.
async fn traced(request: &str, store: MemoryStore, work: impl FnOnce(&Rig)) -> (RunView, Vec<Seen>) {
    let (rig, run) = kept(request, lone(), store).await;
    work(&rig);
    assert_eq!(rig.submit_as("lone", json!({}), request, None).await, run);
    ended(rig, run).await
}

/// The span that a parked run was woken by: its name and its reason.
fn woken_by(run: RunId) -> (String, String) {
    let (before, mut segments) = (spans().of(run.uuid.as_u128()), spans().linked_to(run.uuid.as_u128()));
    segments.retain(|span| span.context.trace != run.uuid.as_u128());
    assert_eq!(segments.len(), 1, "{segments:?}");
    let by = link(&before, &segments[0], "woken_by");
    (by.name.clone(), attribute(by, "baton.reason").to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_the_sweeper_publishes_anew_hangs_below_what_it_did() {
    let left = AtomicBool::new(false);
    // The first worker that takes it is never heard of again.
    let work = move |grant: &Grant| if left.swap(true, Ordering::Relaxed) { echo(grant) } else { None };
    let store = MemoryStore::new(Timings::default());
    let (view, spans) = traced("swept-1", store, |rig| rig.work(work)).await;
    assert_eq!(view.summary.status.name(), "succeeded");

    let sweeps = named(&spans, "sweep");
    let of = |reason: &str| sweeps.iter().find(|sweep| attribute(sweep, "baton.reason") == reason).copied();
    let (lease, publish) = (of("lease").expect("the lease"), of("publish").expect("the publication"));
    for sweep in [lease, publish] {
        let superstep = parent(&spans, sweep);
        assert_eq!((superstep.name.as_str(), attribute(superstep, "baton.reason")), ("superstep", "started"));
    }
    let last = named(&spans, "superstep").into_iter().find(|span| attribute(span, "baton.reason") == "closed").unwrap();
    let mut at = link(&spans, last, "caused_by");
    let mut names = vec![at.name.as_str()];
    while at.name != "sweep" {
        at = parent(&spans, at);
        names.push(&at.name);
    }
    assert_eq!(
        names,
        ["baton.v1.ControlPlane/Resume", "baton.v1.ControlPlane/Claim", "send io.normal", "sweep"],
        "the attempt that ended it leads to the sweep that brought it about"
    );
    assert_eq!(at.context, publish.context);
}

#[tokio::test(start_paused = true)]
async fn what_a_sweep_ends_leads_to_it() {
    // Nobody who takes it is ever heard of again.
    let store = MemoryStore::new(Timings::default());
    let (view, spans) = traced("swept-2", store, |rig| rig.work(|_| None)).await;
    assert_eq!(view.summary.status.name(), "failed");
    let last = named(&spans, "superstep").into_iter().find(|span| attribute(span, "baton.reason") == "closed").unwrap();
    let sweep = link(&spans, last, "caused_by");
    assert_eq!((sweep.name.as_str(), attribute(sweep, "baton.reason")), ("sweep", "lease"));
}

#[tokio::test(start_paused = true)]
async fn what_a_time_ends_leads_to_whoever_looked() {
    let waiting = graph("waiting", vec![waits("pause", Wait::For(60_000), &[])]);
    let (rig, run) = kept("swept-4", waiting, MemoryStore::new(Timings::default())).await;
    rig.submit_as("waiting", json!({}), "swept-4", None).await;
    assert_eq!(ended(rig, run).await.0.summary.status.name(), "succeeded");
    assert_eq!(woken_by(run), ("sweep".to_owned(), "timer".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_lay_there_leads_to_whoever_found_it() {
    let nodes = vec![
        tool("first", &json!({"n": 1}), &[], &["go"]),
        waits("go", Wait::Signal { name: "go".to_owned(), matches: None, expires_ms: None }, &[]),
    ];
    let (rig, run) = kept("swept-5", graph("waiting", nodes), MemoryStore::new(Timings::default())).await;
    rig.submit_as("waiting", json!({}), "swept-5", None).await;
    // Nothing waits for it before somebody works.
    let sent = rig.orchestrator.signal(&Caller::local(), Target::Run(run), "go".to_owned(), None, json!(1)).await;
    assert!(!sent.unwrap().taken);
    rig.persistent_work();
    assert_eq!(ended(rig, run).await.0.summary.status.name(), "succeeded");
    assert_eq!(woken_by(run), ("sweep".to_owned(), "signal".to_owned()));
}

/// The first outcome is recorded, and nobody is told.
struct Untold(AtomicBool);

impl Faults for Untold {
    fn fault(&self, op: &Op) -> Fault {
        let first = matches!(op, Op::Record(_)) && !self.0.swap(true, Ordering::Relaxed);
        if first { Fault::ReplyLost } else { Fault::None }
    }
}

#[tokio::test(start_paused = true)]
async fn a_superstep_that_nobody_was_told_the_cause_of_is_linked_to_the_one_before() {
    let faults = Box::new(Untold(AtomicBool::new(false)));
    let store = MemoryStore::with(Timings::default(), Guards::default(), faults, "memory");
    let (view, spans) = traced("swept-3", store, Rig::persistent_work).await;
    assert_eq!(view.summary.status.name(), "succeeded");
    let supersteps = named(&spans, "superstep");
    let of = |reason: &str| *supersteps.iter().find(|span| attribute(span, "baton.reason") == reason).unwrap();
    let (first, last) = (of("started"), of("closed"));
    let links: Vec<(TraceContext, &str)> = last.links.iter().map(|(to, why)| (*to, why.as_str())).collect();
    assert_eq!(links, [(first.context, "opened_by")]);
}
