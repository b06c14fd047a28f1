//! Several inputs on one thread: what becomes of the second is what the graph says, and
//! nothing that was said is lost unless it says so.

use std::sync::Arc;

use baton_common::RunId;
use baton_orchestrator::api::{ErrorKind, Status};
use serde_json::{Value, json};

use crate::rig::{Asks, Kind, Rig};

const BUSY: &str = "
baton: 1
graph: busy
input: { text: string }
output: { said: state.said, count: state.count, last: state.last }
on_busy: POLICY
state:
  said: { type: array, reduce: append, keep: true }
  count: { type: integer, reduce: sum, keep: true, default: 0 }
  last: { type: string, keep: true, default: '' }
start: hear
nodes:
  hear: { save: { said: input.text, count: '1', last: input.text }, then: hold }
  hold: { ask: { title: Go on?, fields: { ok: boolean } }, then: done }
  done: { save: { said: \"input.text + ' done'\" }, then: end }
";

const ON_THREAD: Asks<'static> = Asks { thread: Some("t"), request: None, record: false };

fn says(text: &str) -> Value {
    json!({ "text": text })
}

async fn let_go(rig: &Rig, run: RunId) -> Value {
    rig.asking(run, 1).await;
    rig.answer_node(run, "hold", json!({ "ok": true })).await;
    rig.output(run).await
}

/// A thread on which `zero` was said and done and `first` waits, and the graph.
async fn busy(kind: Kind, policy: &str) -> (Rig, RunId, String) {
    let rig = Rig::start(kind).await;
    let graph = BUSY.replace("POLICY", policy);
    let zero = rig.submit(&graph, says("zero"), ON_THREAD).await;
    let_go(&rig, zero).await;
    let first = rig.submit(&graph, says("first"), ON_THREAD).await;
    rig.asking(first, 1).await;
    (rig, first, graph)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_thread_rejects_and_the_first_goes_on() {
    for kind in Kind::ALL {
        let (rig, first, graph) = busy(kind, "reject").await;
        let refused = rig.try_submit(&graph, says("second"), ON_THREAD).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Conflict, "thread_busy"), "{kind:?}");
        let said = json!({ "said": ["zero", "zero done", "first", "first done"], "count": 2, "last": "first" });
        assert_eq!(let_go(&rig, first).await, said, "{kind:?}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_thread_enqueues_and_both_are_kept() {
    for kind in Kind::ALL {
        let (rig, first, graph) = busy(kind, "enqueue").await;
        let second = rig.try_submit(&graph, says("second"), ON_THREAD).await.unwrap();
        assert!(second.queued, "{kind:?}");
        assert_eq!(rig.get(second.run).await.summary.status, Status::Queued, "{kind:?}");
        let_go(&rig, first).await;
        let all = ["zero", "zero done", "first", "first done", "second", "second done"];
        let said = json!({ "said": all, "count": 3, "last": "second" });
        assert_eq!(let_go(&rig, second.run).await, said, "{kind:?}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_thread_is_interrupted_and_what_was_said_stays() {
    for kind in Kind::ALL {
        let (rig, first, graph) = busy(kind, "interrupt").await;
        let second = rig.submit(&graph, says("second"), ON_THREAD).await;
        let said =
            json!({ "said": ["zero", "zero done", "first", "second", "second done"], "count": 3, "last": "second" });
        assert_eq!(let_go(&rig, second).await, said, "{kind:?}");
        assert_eq!(rig.end(first).await.summary.status, Status::Cancelled, "{kind:?}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_thread_is_rolled_back_and_the_first_was_never_there() {
    for kind in Kind::ALL {
        let (rig, first, graph) = busy(kind, "rollback").await;
        let second = rig.submit(&graph, says("second"), ON_THREAD).await;
        let said = json!({ "said": ["zero", "zero done", "second", "second done"], "count": 2, "last": "second" });
        assert_eq!(let_go(&rig, second).await, said, "{kind:?}");
        assert_eq!(rig.end(first).await.summary.status, Status::Cancelled, "{kind:?}");
        // What comes after goes on from there too.
        let third = rig.submit(&graph, says("third"), ON_THREAD).await;
        let all = ["zero", "zero done", "second", "second done", "third", "third done"];
        assert_eq!(let_go(&rig, third).await["said"], json!(all), "{kind:?}");
        rig.stop().await;
    }
}

const QUICK: &str = "
baton: 1
graph: quick
input: { text: string }
output: { said: state.said }
on_busy: enqueue
state: { said: { type: array, reduce: append, keep: true } }
start: hear
nodes:
  hear: { save: { said: \"input.text + ' in'\" }, then: work }
  work: { tool: { name: debug.echo, args: { text: '{{ input.text }}' } }, save: { said: \"output.text + ' out'\" }, then: end }
";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_inputs_at_once_are_all_heard_one_after_the_other() {
    for kind in Kind::ALL {
        let rig = Arc::new(Rig::start(kind).await);
        rig.apply(QUICK).await;
        let runs = (0..20).map(|number| {
            let rig = rig.clone();
            tokio::spawn(async move { rig.submit("quick", says(&format!("{number:02}")), ON_THREAD).await })
        });
        let runs: Vec<_> = runs.collect();
        let mut longest = Vec::new();
        for run in runs {
            let output = rig.output(run.await.unwrap()).await;
            let said: Vec<String> = serde_json::from_value(output["said"].clone()).unwrap();
            if said.len() > longest.len() {
                longest = said;
            }
        }
        let pairs: Vec<_> =
            longest.chunks(2).map(|pair| (pair[0].replace(" in", ""), pair[1].replace(" out", ""))).collect();
        assert!(pairs.iter().all(|(heard, done)| heard == done), "{kind:?}: no turn is within another: {longest:?}");
        let mut heard: Vec<_> = pairs.into_iter().map(|(heard, _)| heard).collect();
        heard.sort();
        assert_eq!(heard, (0..20).map(|number| format!("{number:02}")).collect::<Vec<_>>(), "{kind:?}");
        Arc::into_inner(rig).unwrap().stop().await;
    }
}
