//! State that is too large for a record: it lies in the blob store, and nobody who reads,
//! computes, edits, forks or replays notices.

use std::collections::BTreeMap;

use baton_common::{RunId, Seq};
use baton_orchestrator::api::{Caller, ForkRequest};
use serde_json::{Map, Value, json};

use crate::rig::{Asks, Kind, Rig};

/// A text, in characters: too large for a record once it is doubled.
const HALF: usize = 200_000;
/// No record is larger, in bytes.
const RECORD_MAX: u64 = 16 * 1024;

const GROWS: &str = "
baton: 1
graph: grows
input: { text: string }
output: { lengths: state.lengths }
state:
  text: string
  note: string
  parts: { type: array, reduce: append }
  lengths: array
start: double
nodes:
  double:
    tool: { name: debug.echo, args: { text: '{{ input.text }}{{ input.text }}' } }
    save: { text: output.text, parts: output.text }
    then: ask
  ask: { ask: { title: Good?, fields: { good: boolean } }, then: measure }
  measure:
    tool: { name: debug.echo, args: { part: '{{ state.parts[0] | length }}', note: '{{ state.note }}' } }
    save: { lengths: '[size(state.text), size(state.parts[0]), output.note]' }
    then: end
";

async fn state(rig: &Rig, run: RunId, at: Option<Seq>) -> BTreeMap<String, Value> {
    let found = rig.cluster.api().state(&Caller::local(), run, at).await.unwrap();
    found.values.into_iter().map(|(name, value)| (name.to_string(), (*value).clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_state_lies_beside_its_records_and_is_whole_wherever_it_is_read() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let (api, caller) = (rig.cluster.api(), Caller::local());
        let asks = Asks { record: true, ..Asks::default() };
        let run = rig.submit(GROWS, json!({ "text": "x".repeat(HALF) }), asks).await;
        let head = rig.asking(run, 1).await.head;
        let text = Value::from("x".repeat(2 * HALF));
        let seen = state(&rig, run, None).await;
        assert!(seen["text"] == text && seen["parts"] == json!([text]), "{kind:?}");
        let diff = api.diff(&caller, run, Seq(0), None).await.unwrap();
        assert!(
            diff.changes.iter().any(|one| one.channel == "text" && one.after.as_deref() == Some(&text)),
            "{kind:?}"
        );

        let edited = api.edit(&caller, run, head, Map::from_iter([("note".to_owned(), json!("seen"))])).await.unwrap();
        assert!(state(&rig, run, Some(edited.seq)).await["text"] == text, "{kind:?}: an edit keeps it");
        let from = Some(edited.seq);
        let fork = ForkRequest {
            run,
            from,
            set: Map::from_iter([("note".to_owned(), json!("forked"))]),
            thread: None,
            request_id: None,
        };
        let fork = api.fork(&caller, fork).await.unwrap().run;
        for (run, note) in [(run, "seen"), (fork, "forked")] {
            rig.asking(run, 1).await;
            rig.answer_node(run, "ask", json!({ "good": true })).await;
            let output = rig.output(run).await;
            assert_eq!(output, json!({ "lengths": [2 * HALF, 2 * HALF, note] }), "{kind:?}");
        }
        let replayed = api.replay(&caller, run).await.unwrap();
        assert!(replayed.difference.is_none() && replayed.checkpoints > 2, "{kind:?}: {replayed:?}");
        assert!(rig.meter.largest_checkpoint(run).await <= RECORD_MAX, "{kind:?}");
        rig.stop().await;
    }
}

const READS: &str = "
baton: 1
graph: reads
input: { text: string }
output: { polled: state.polled, needed: state.needed }
state: { polled: integer, needed: array }
start: poll
nodes:
  poll:
    tool: { name: debug.echo, args: { text: '{{ input.text }}{{ input.text }}' } }
    poll: { until: size(output.text) > 300000, every: 1s }
    save: { polled: size(output.text) }
    then: each
  each:
    for_each:
      in: \"[{'id': 'a', 'needs': []}, {'id': 'b', 'needs': ['a']}]\"
      as: item
      by: item.id
      after: item.needs
      keep: \"{'of': output.of, 'text': output.text}\"
    tool: { name: debug.echo, args: { text: '{{ input.text }}{{ input.text }}', of: \"{{ deps.a.text | default('') | length }}\" } }
    save: { needed: '[output.a.of, output.b.of, size(output.b.text)]' }
    then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn results_too_large_for_a_record_are_read_by_polls_and_by_items_that_need_them() {
    let rig = Rig::start(Kind::Memory).await;
    let run = rig.submit(READS, json!({ "text": "x".repeat(HALF) }), Asks::default()).await;
    let output = rig.output(run).await;
    assert_eq!(output, json!({ "polled": 2 * HALF, "needed": [0, 2 * HALF, 2 * HALF] }));
    rig.stop().await;
}
