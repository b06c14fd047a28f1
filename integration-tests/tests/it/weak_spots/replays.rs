//! Replay: what was recorded of a run gives every checkpoint again, byte for byte, and a
//! checkpoint that somebody changed is found.

use baton_common::RunId;
use baton_common::records::EventKind;
use baton_orchestrator::api::{Caller, Status, Target};
use rusqlite::Connection;
use serde_json::json;

use crate::rig::{Asks, Kind, Rig};

/// A run with all that happens to runs: a map of children with jobs, loops that pause, a
/// question, a signal, and a failure that takes back what it did.
const EVERYTHING: &str = "
baton: 1
graph: everything
limits: { steps: 3000 }
input: { list: array }
output: { n: state.n }
state:
  n: { type: integer, reduce: sum, default: 0 }
  said: { type: array, reduce: messages }
  sums: array
start: book
nodes:
  book:
    tool: { name: debug.echo, args: { seat: 7 } }
    undo: { tool: { name: debug.ledger, args: { file: 'undo-{{ output.seat }}.jsonl', effect: idempotent } } }
    save: { said: \"{'id': 'a', 'text': 'seat ' + string(output.seat)}\" }
    then: count
  count:
    save: { n: '1' }
    then: [ { when: state.n < 1500, to: count }, { to: many } ]
  many:
    for_each: input.list
    graph: { name: inner, args: { item: '{{ item }}' } }
    save: { sums: 'output.map(o, o.double)' }
    then: ask
  ask: { ask: { title: Go on?, fields: { why: string } }, save: { said: \"{'id': 'a', 'text': output.why}\" }, then: hold }
  hold: { wait: { signal: paid, match: event.order == 7 }, save: { n: output.amount }, then: shaky }
  shaky:
    tool: { name: debug.fail, args: { class: transient, code: shaky, times: 1 } }
    retry: { attempts: 2, backoff: 10ms..20ms }
    then: [ { when: 'true', fail: 'as asked after {{ state.n }}' } ]
graphs:
  inner:
    baton: 1
    graph: inner
    input: { item: integer }
    output: { double: state.double }
    state: { double: integer }
    start: work
    nodes:
      work:
        tool: { name: debug.echo, args: { item: '{{ input.item }}' } }
        undo: { tool: { name: debug.ledger, args: { file: 'undo-item.jsonl', effect: idempotent } } }
        save: { double: output.item * 2 }
        then: end
";

async fn everything(rig: &Rig) -> RunId {
    let asks = Asks { record: true, thread: Some("t"), ..Asks::default() };
    let run = rig.submit(EVERYTHING, json!({ "list": [1, 2, 3] }), asks).await;
    let api = rig.cluster.api();
    rig.asking(run, 1).await;
    rig.answer_node(run, "ask", json!({ "why": "because" })).await;
    for (order, amount) in [(6, 1), (7, 40)] {
        let value = json!({ "order": order, "amount": amount });
        api.signal(&Caller::local(), Target::Run(run), "paid".to_owned(), None, value).await.unwrap();
    }
    let view = rig.end(run).await;
    assert_eq!(view.summary.status, Status::Failed);
    assert_eq!(view.failure.unwrap().failure.message, "as asked after 1540");
    let undone = rig.ledger();
    assert_eq!(undone.len(), 4, "the seat and three children are taken back: {undone:?}");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_gives_every_checkpoint_again_and_finds_a_changed_one() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let remote = rig.remote().await;
        let run = everything(&rig).await;
        let checkpoints = remote.checkpoints_by(run, 500).await;
        let replayed = remote.replay(run).await.unwrap();
        assert_eq!(replayed.difference, None, "{kind:?}");
        assert_eq!(replayed.checkpoints, checkpoints.len() as u64, "{kind:?}: all of them");
        assert!(replayed.checkpoints > 1_500 && replayed.advances > 8, "{kind:?}: {replayed:?}");

        // Children are recorded with their caller.
        let began = rig.events(run).await.into_iter().filter(|event| event.kind == EventKind::Waits);
        let children: Vec<RunId> = began.filter_map(|event| event.text.parse().ok()).collect();
        assert_eq!(children.len(), 3, "{kind:?}");
        for child in children {
            let replayed = remote.replay(child).await.unwrap();
            assert!(replayed.difference.is_none() && replayed.checkpoints > 0, "{kind:?}: {replayed:?}");
        }
        if kind == Kind::Sqlite {
            tamper(&rig);
            let found = remote.replay(run).await.unwrap().difference.unwrap();
            assert_eq!(found.seq, 1_000, "the one that was changed");
            assert!(found.recorded_json.contains("1000007") && !found.computed_json.contains("1000007"), "{found:?}");
        }
        rig.stop().await;
    }
}

/// A map of children that need each other: each adds what the one before it gave. The last
/// cannot begin.
const CHAIN: &str = "
baton: 1
graph: chain
output: { sums: state.sums, codes: state.codes }
state: { sums: object, codes: array }
start: many
nodes:
  many:
    for_each: { in: '[3, 1, 4, 2]', by: string(item), after: 'item > 1 ? [string(item - 1)] : []', keep: output.sum }
    on_item_error: collect
    graph: { name: inner, args: { item: '{{ item }}', before: '{{ deps }}', small: \"{{ deps['3'] | default(0) }}\" } }
    save: { sums: output, codes: 'errors.map(one, one.error.code)' }
    then: end
graphs:
  inner:
    input: { item: integer, before: object, small: { type: integer, maximum: 11 } }
    output: { sum: state.sum }
    state: { sum: integer }
    start: work
    nodes:
      work:
        tool: { name: debug.echo, args: { item: '{{ input.item }}' } }
        save: { sum: 'output.item * 2 + (string(input.item - 1) in input.before ? input.before[string(input.item - 1)] : 0)' }
        then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn children_that_need_each_other_are_told_and_their_replays_too() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let remote = rig.remote().await;
        let run = rig.submit(CHAIN, json!({}), Asks { record: true, ..Asks::default() }).await;
        let output = json!({ "sums": { "1": 2, "2": 6, "3": 12, "4": null }, "codes": ["invalid_input"] });
        assert_eq!(rig.end(run).await.output, Some(output), "{kind:?}");
        let began = rig.events(run).await.into_iter().filter(|event| event.kind == EventKind::Waits);
        let children: Vec<RunId> = began.filter_map(|event| event.text.parse().ok()).collect();
        assert_eq!(children.len(), 4, "{kind:?}");
        for run in children.into_iter().chain([run]) {
            let replayed = remote.replay(run).await.unwrap();
            assert_eq!(replayed.difference, None, "{kind:?}: {replayed:?}");
        }
        rig.stop().await;
    }
}

/// Changes what one checkpoint in the middle says was written.
fn tamper(rig: &Rig) {
    let connection = Connection::open(rig.folder.path().join("store").join("baton.sqlite")).unwrap();
    let sql = "UPDATE checkpoint SET row = json_set(row, '$.writes.n', 1000007) WHERE thread = 't' AND seq = 1000";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_recorded_or_has_not_ended_is_not_replayed() {
    let rig = Rig::start(Kind::Memory).await;
    let remote = rig.remote().await;
    let graph = "baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { ask: { title: hi, fields: { x: string } }, then: end }\n";
    let run = remote.submit(graph, &json!({}), true).await;
    rig.asking(run, 1).await;
    let early = remote.replay(run).await.unwrap_err();
    assert_eq!(baton_proto::detail::of_status(&early).unwrap().code, "run_not_ended");
    let other = remote.submit(graph, &json!({}), false).await;
    rig.asking(other, 1).await;
    rig.answer_node(other, "a", json!({ "x": "y" })).await;
    rig.end(other).await;
    let never = remote.replay(other).await.unwrap_err();
    assert_eq!(baton_proto::detail::of_status(&never).unwrap().code, "not_recorded");
    rig.stop().await;
}
