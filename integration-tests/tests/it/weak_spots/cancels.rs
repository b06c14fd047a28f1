//! A cancel leaves nothing behind: no task without an end, no question that waits, no call
//! that goes on in a worker, and a thread that the next run can use.

use baton_common::records::InterruptState;
use baton_common::settings::Timings;
use baton_orchestrator::api::{Caller, Status};
use serde_json::json;

use crate::rig::{Asks, Kind, Rig};

const CALLS: &str = "
baton: 1
graph: calls
input: { list: array, ms: integer }
output: { messages: state.messages }
state: { messages: { type: array, reduce: messages, keep: true } }
start: hear
nodes:
  hear: { save: { messages: \"{'role': 'user', 'content': 'go'}\" }, then: [call, asks, child, later] }
  call:
    for_each: input.list
    max_parallel: 4
    tool: { name: debug.ledger, args: { file: calls.jsonl, effect: pure, ms: '{{ input.ms }}' } }
    timeout: 2h
    retry: { attempts: 3 }
    save: { messages: \"{'role': 'tool', 'content': string(size(output))}\" }
    then: end
  asks: { ask: { title: Go on?, fields: { ok: boolean } }, then: end }
  later: { wait: { signal: never }, then: end }
  child: { graph: { name: inner, args: { ms: '{{ input.ms }}' } }, then: end }
graphs:
  inner:
    baton: 1
    graph: inner
    input: { ms: integer }
    start: call
    nodes:
      call: { tool: { name: debug.ledger, args: { file: calls.jsonl, effect: pure, ms: '{{ input.ms }}' } }, timeout: 2h, then: end }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_every_task_and_tells_the_workers() {
    for kind in Kind::ALL {
        // Nothing ends by force: only workers that were told, at a renewal, can end this run.
        let timings = Timings { cancel_after_ms: 3_600_000, lease_ms: 4_500, ..Timings::default().scaled(20) };
        let rig = Rig::with(kind, timings).await;
        let graph = CALLS;
        let asks = Asks { thread: Some("t"), ..Asks::default() };
        let input = json!({ "list": (0..8).collect::<Vec<_>>(), "ms": 3_600_000 });
        let run = rig.submit(graph, input, asks).await;
        let began = || rig.ledger().len();
        rig.until(run, |view| view.questions.len() == 1 && began() == 5).await;
        rig.cluster.api().cancel(&Caller::local(), run).await.unwrap();
        let view = rig.end(run).await;
        assert_eq!(view.summary.status, Status::Cancelled, "{kind:?}");
        assert!(view.questions.is_empty() && view.waits.is_empty(), "{kind:?}: {view:?}");
        assert!(view.groups.iter().all(|group| group.claimed + group.waiting == 0), "{kind:?}: {view:?}");

        let detail = rig.meter.store_detail(run).await;
        let dangling = detail.groups.iter().flat_map(|(_, tasks)| tasks).filter(|task| !task.state.is_ended());
        assert_eq!(dangling.count(), 0, "{kind:?}: {detail:?}");
        let withdrawn = detail.interrupts.iter().all(|asked| asked.state == InterruptState::Withdrawn);
        assert!(withdrawn && detail.interrupts.len() == 1, "{kind:?}: {:?}", detail.interrupts);
        assert!(rig.cluster.api().inbox(&Caller::local(), 10).await.unwrap().is_empty(), "{kind:?}");
        let runs = rig.cluster.api().list(&Caller::local(), Default::default()).await.unwrap();
        assert!(runs.iter().all(|one| one.status == Status::Cancelled), "{kind:?}: {runs:?}");
        let ledger = rig.ledger();
        assert!(ledger.values().all(|job| (job.starts, job.ends) == (1, 0)), "{kind:?}: {ledger:?}");

        // What the thread keeps is whole, and the next run finds nothing in its way.
        let next = rig.submit(graph, json!({ "list": [1], "ms": 0 }), asks).await;
        rig.asking(next, 1).await;
        let state = rig.cluster.api().state(&Caller::local(), next, None).await.unwrap();
        let roles: Vec<_> =
            state.values["messages"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect();
        assert!(roles.starts_with(&[json!("user"), json!("user")]), "{kind:?}: {roles:?}");
        rig.cluster.api().cancel(&Caller::local(), next).await.unwrap();
        assert_eq!(rig.end(next).await.summary.status, Status::Cancelled, "{kind:?}");
        rig.stop().await;
    }
}
