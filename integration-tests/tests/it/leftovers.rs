//! I15: what is over leaves nothing behind, in any store, but what has a retention of its own;
//! and until then nothing goes that somebody needs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use baton_common::ids::Seq;
use baton_common::records::EventKind;
use baton_common::settings::Timings;
use baton_common::{RequestId, RunId, ThreadId, ThreadKey};
use baton_orchestrator::api::{Caller, ForkRequest, Status, Target, Which};
use serde_json::{Map, Value, json};

use crate::rig::{Asks, CHAT, Kind, PATIENCE, Rig, stored};

const MIXED: &str = "
baton: 1
graph: mixed
input: { n: integer, list: array }
output: { sum: state.sum }
state: { sum: { type: integer, reduce: sum, default: 0 } }
start: turn
nodes:
  turn:
    tool: { name: debug.echo, args: { text: turn } }
    save: { sum: '1' }
    then:
      - { when: state.sum < 3, to: turn }
      - { to: many }
  many: { for_each: input.list, tool: { name: debug.echo, args: { text: one } }, save: { sum: '1' }, then: call }
  call: { graph: { name: inner, args: { n: '{{ input.n }}' } }, then: asks }
  asks: { ask: { title: Go on?, fields: { ok: boolean } }, then: [hears, keyed] }
  hears: { wait: { signal: go }, save: { sum: '1' }, then: end }
  keyed:
    tool: { name: debug.ledger, args: { file: keyed.jsonl, effect: idempotent }, key: 'k-{{ input.n }}' }
    then: tell
  tell:
    notify: { name: debug.ledger, args: { file: told.jsonl, effect: idempotent, ms: 50 } }
    then: end
graphs:
  inner:
    input: { n: integer }
    start: look
    nodes:
      look: { tool: { name: debug.echo, args: { text: look } }, then: end }
";

const FAILS: &str = "
baton: 1
graph: fails
start: first
nodes:
  first:
    tool: { name: debug.echo, args: { text: first } }
    undo: { tool: { name: debug.echo, args: { text: undone } } }
    then:
      - { fail: as it should }
";

/// Long enough to look at a run that is over, short enough to see it go.
fn timings() -> Timings {
    let lease_ms = Timings::default().lease_ms;
    Timings {
        lease_ms,
        retention_ms: 4_000,
        thread_retention_ms: 10_000,
        key_retention_ms: 1_000,
        ..Timings::default().scaled(20)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_what_is_over_but_what_has_its_own_retention() {
    for kind in Kind::ALL {
        let rig = Rig::with(kind, timings()).await;
        let asks = |request| Asks { request: Some(request), ..Asks::default() };
        let first = rig.submit(MIXED, input(1), asks("first")).await;
        let named = Asks { thread: Some("named"), ..asks("second") };
        let second = rig.submit(MIXED, input(2), named).await;
        let failed = rig.submit(FAILS, json!({}), asks("third")).await;
        assert_eq!(rig.end(failed).await.summary.status, Status::Failed, "{kind:?}");
        rig.cluster.api().retry(&Caller::local(), failed, None).await.unwrap();
        rig.asking(first, 1).await;
        rig.asking(second, 1).await;
        let fork = fork(&rig, first, None).await.unwrap();
        rig.asking(fork, 1).await;
        let stopped = rig.submit(MIXED, input(3), asks("fourth")).await;
        rig.asking(stopped, 1).await;
        rig.cluster.api().cancel(&Caller::local(), stopped).await.unwrap();

        go_on(&rig, first).await;
        go_on(&rig, second).await;
        gone(&rig, first).await;
        // The fork outlives the run it was made from: its state is all there.
        go_on(&rig, fork).await;
        for run in [second, failed, fork, stopped] {
            gone(&rig, run).await;
        }
        empty(&rig, kind).await;
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_is_used_keeps_what_its_head_needs_and_loses_the_rest() {
    for kind in Kind::ALL {
        let rig = Rig::with(kind, timings()).await;
        rig.apply(CHAT).await;
        let talk = Asks { thread: Some("talk"), ..Asks::default() };
        let mut runs = Vec::new();
        for turn in 0..4 {
            let run = rig.submit("chat", json!({ "text": "hello" }), talk).await;
            assert_eq!(rig.output(run).await, json!({ "reply": format!("That was {}", 2 * turn + 1) }), "{kind:?}");
            runs.push(run);
        }
        let store = rig.cluster.api().store().clone();
        let key = ThreadKey { tenant: Caller::local().tenant, thread: ThreadId::parse("talk").unwrap() };
        for run in &runs[..3] {
            gone(&rig, *run).await;
        }
        let (deadline, mut turns) = (Instant::now() + PATIENCE, runs.len());
        let again = loop {
            let run = rig.submit("chat", json!({ "text": "still there?" }), talk).await;
            turns += 1;
            assert_eq!(rig.output(run).await, json!({ "reply": format!("That was {}", 2 * turns - 1) }), "{kind:?}");
            if store.thread(&key).await.unwrap().expect("the thread").pruned > Seq(0) {
                break run;
            }
            assert!(Instant::now() < deadline, "{kind:?}: nothing goes of it");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let (api, caller) = (rig.cluster.api(), Caller::local());
        let messages = api.state(&caller, again, None).await.unwrap().values["messages"].as_array().unwrap().len();
        assert_eq!(messages, 2 * turns, "{kind:?}");
        let listed = api.checkpoints(&caller, again, None, 500).await.unwrap().checkpoints;
        assert!(!listed.is_empty(), "{kind:?}");
        let refused = api.state(&caller, again, Some(Seq(1))).await.unwrap_err();
        assert_eq!(refused.code, "checkpoint_not_found", "{kind:?}");
        let refused = fork(&rig, again, Some(Seq(1))).await.unwrap_err();
        assert_eq!(refused, "checkpoint_not_found", "{kind:?}");
        gone(&rig, again).await;
        empty(&rig, kind).await;
        rig.stop().await;
    }
}

async fn fork(rig: &Rig, run: RunId, from: Option<Seq>) -> Result<RunId, String> {
    let request_id = RequestId::parse("the-fork").ok();
    let fork = ForkRequest { run, from, set: Map::new(), thread: None, request_id };
    let forked = rig.cluster.api().fork(&Caller::local(), fork).await;
    forked.map(|submitted| submitted.run).map_err(|refused| refused.code)
}

/// A map of more tasks than lie in their run's row.
fn input(n: u32) -> Value {
    json!({ "n": n, "list": (0..70).collect::<Vec<u32>>() })
}

/// Answers a run's question and tells it what it waits for; it ends.
async fn go_on(rig: &Rig, run: RunId) {
    rig.answer(run, Which::Node("asks".to_owned()), json!({ "ok": true })).await.unwrap();
    let (api, target) = (rig.cluster.api(), Target::Run(run));
    api.signal(&Caller::local(), target, "go".to_owned(), Some(format!("go-{run}")), Value::from(1)).await.unwrap();
    let events = rig.events(run).await;
    assert!(events.iter().any(|event| event.kind == EventKind::Ended && event.text == "succeeded"), "{events:?}");
}

/// Waits until there is no such run.
async fn gone(rig: &Rig, run: RunId) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(found) = rig.cluster.api().store().run(run).await.unwrap() {
        assert!(Instant::now() < deadline, "it stays: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What may be left, by kind: of Redis by the letters of a partition's keys, of SQLite by table,
/// of memory by the first word of a row.
fn own_retention(kind: Kind) -> &'static [&'static str] {
    match kind {
        // The partitions' clocks and who sweeps them; the audit and its end; events, which a cap
        // removes; how many runs and questions are open; business keys and their index, which go
        // when others are used; and what lies outside partitions: the store's name, graphs and
        // workers.
        Kind::Redis => &["c", "s", "a", "h", "e", "o", "u", "v", "other"],
        Kind::Sqlite => &["meta", "audit", "key", "graph", "graph_name", "worker"],
        Kind::Memory => &["audit", "key"],
    }
}

/// Waits until nothing is left but that.
async fn empty(rig: &Rig, kind: Kind) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut left = left(rig);
        left.retain(|name, many| *many > 0 && !own_retention(kind).contains(&name.as_str()));
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{kind:?}: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn left(rig: &Rig) -> BTreeMap<String, u64> {
    let Some(memory) = &rig.memory else { return stored(rig) };
    let mut counts = BTreeMap::new();
    for partition in memory.used_partitions() {
        for name in memory.dump(partition).into_keys() {
            *counts.entry(name.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    counts
}
