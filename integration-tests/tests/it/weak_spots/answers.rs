//! Answers: one decision for each question, for that question only, and nothing that was
//! done before it is done again.

use std::sync::Arc;

use baton_common::InterruptId;
use baton_common::records::InterruptState;
use baton_orchestrator::api::{ErrorKind, Status, Which};
use serde_json::{Value, json};

use crate::rig::{Asks, Kind, Rig};

const RACE: &str = "
baton: 1
graph: race
output: { side: state.side, key: state.key }
state: { side: string, key: string }
start: choose
nodes:
  choose: { ask: { title: Which?, fields: { side: string } }, save: { side: output.side }, then: pay }
  pay: { tool: { name: debug.ledger, args: { file: pay.jsonl, effect: idempotent } }, save: { key: output.key }, then: end }
";

/// Answers at once, every other one with another decision.
const ANSWERS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_racing_answers_are_one_decision_and_one_execution() {
    for kind in Kind::ALL {
        let rig = Arc::new(Rig::start(kind).await);
        let run = rig.submit(RACE, json!({}), Asks::default()).await;
        let question = rig.asking(run, 1).await.questions[0].id;
        let answers = (0..ANSWERS).map(|number| {
            let rig = rig.clone();
            tokio::spawn(async move {
                let side = ["left", "right"][number % 2];
                let which = if number % 3 == 0 { Which::Node("choose".to_owned()) } else { Which::Interrupt(question) };
                (side, rig.answer(run, which, json!({ "side": side })).await)
            })
        });
        let answers: Vec<_> = answers.collect();
        let output = rig.output(run).await;
        let recorded = output["side"].as_str().unwrap();
        let mut first = 0;
        for answer in answers {
            let (side, answer) = answer.await.unwrap();
            match answer {
                Ok(answered) => {
                    assert_eq!((answered.interrupt, side), (question, recorded), "{kind:?}");
                    first += usize::from(!answered.existed);
                }
                Err(error) => {
                    assert_eq!(
                        (error.kind, error.code.as_str()),
                        (ErrorKind::Conflict, "answered_otherwise"),
                        "{kind:?}"
                    );
                    assert!(side != recorded && error.cause.contains(recorded), "{kind:?}: {error:?}");
                }
            }
        }
        assert_eq!(first, 1, "{kind:?}: one decision was recorded");
        let paid: Vec<_> = rig.ledger().into_values().map(|job| (job.starts, job.ends)).collect();
        assert_eq!(paid, [(1, 1)], "{kind:?}: what follows ran once");
        let recorded = rig.meter.store_detail(run).await.interrupts;
        assert!(matches!(&recorded[..], [one] if matches!(one.state, InterruptState::Answered { .. })), "{recorded:?}");
        assert_eq!(rig.meter.counts()["Answer"].calls, ANSWERS as u64, "{kind:?}: each of them asked the store");
        Arc::into_inner(rig).unwrap().stop().await;
    }
}

const TURNS: &str = "
baton: 1
graph: turns
output: { said: state.said }
state: { said: { type: array, reduce: append } }
start: review
nodes:
  review:
    ask: { title: Another turn?, fields: { say: string } }
    save: { said: output.say }
    then: [ { when: size(state.said) < 3, to: review }, { to: end } ]
";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_earlier_turn_decides_nothing_in_a_later_one() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let run = rig.submit(TURNS, json!({}), Asks { thread: Some("t"), ..Asks::default() }).await;
        let first = rig.asking(run, 1).await.questions[0].id;
        rig.answer(run, Which::Interrupt(first), json!({ "say": "one" })).await.unwrap();
        let later = |view: &baton_orchestrator::api::RunView| view.questions.iter().any(|open| open.id != first);
        let second = rig.until(run, later).await.questions[0].id;

        let stale = rig.answer(run, Which::Interrupt(first), json!({ "say": "too late" })).await.unwrap_err();
        assert_eq!((stale.kind, stale.code.as_str()), (ErrorKind::Conflict, "answered_otherwise"), "{kind:?}");
        assert!(stale.cause.contains("one"), "{kind:?}: {stale:?}");
        let repeated = rig.answer(run, Which::Interrupt(first), json!({ "say": "one" })).await.unwrap();
        assert!(repeated.existed && repeated.interrupt == first, "{kind:?}");
        let still = rig.get(run).await;
        assert_eq!(still.questions.iter().map(|open| open.id).collect::<Vec<_>>(), [second], "{kind:?}");
        assert_eq!(still.summary.status, Status::Waiting, "{kind:?}");

        let by_path = rig.answer(run, Which::Node("review".to_owned()), json!({ "say": "two" })).await.unwrap();
        assert_eq!((by_path.interrupt, by_path.existed), (second, false), "{kind:?}: a node means its open question");
        let third = rig.until(run, |view| view.questions.iter().any(|open| open.id != second)).await.questions[0].id;
        rig.answer(run, Which::Interrupt(third), json!({ "say": "three" })).await.unwrap();
        assert_eq!(rig.output(run).await, json!({ "said": ["one", "two", "three"] }), "{kind:?}");

        // A question of an earlier run is none of a later run on the same thread.
        let next = rig.submit(TURNS, json!({}), Asks { thread: Some("t"), ..Asks::default() }).await;
        let open = rig.asking(next, 1).await.questions[0].id;
        let foreign = rig.answer(next, Which::Interrupt(third), json!({ "say": "x" })).await.unwrap_err();
        assert_eq!(foreign.kind, ErrorKind::NotFound, "{kind:?}");
        assert_eq!(rig.get(next).await.questions[0].id, open, "{kind:?}");
        rig.stop().await;
    }
}

const TEN: &str = "
baton: 1
graph: ten
input: { list: array }
output: { said: state.said }
state: { keys: array, said: array }
start: look
nodes:
  look:
    for_each: input.list
    tool: { name: debug.ledger, args: { file: look.jsonl, effect: pure } }
    save: { keys: 'output.map(o, o.key)' }
    then: ask
  ask:
    for_each: input.list
    max_parallel: 10
    ask: { title: 'And {{ item }}?', fields: { ok: boolean } }
    save: { said: 'output.map(o, o.ok)' }
    then: pay
  pay:
    for_each: state.keys
    tool: { name: debug.ledger, args: { file: pay.jsonl, effect: once }, effect: once }
    approve: { when: 'true', allow: [approve, reject] }
    then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn ten_questions_of_one_node_re_run_nothing() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let run = rig.submit(TEN, json!({ "list": (0..10).collect::<Vec<_>>() }), Asks::default()).await;
        let asked = rig.asking(run, 10).await;
        assert_eq!(rig.ledger().len(), 10, "{kind:?}");
        for index in [7, 0, 9, 3, 1, 8, 2, 6, 4, 5] {
            rig.answer(run, Which::Node(format!("ask[{index}]")), json!({ "ok": index % 2 == 0 })).await.unwrap();
        }
        // Ten calls that each wait for leave.
        let ids = |view: &baton_orchestrator::api::RunView| -> Vec<InterruptId> {
            view.questions.iter().map(|open| open.id).collect()
        };
        let before = ids(&asked);
        let view = rig.until(run, |view| ids(view).iter().filter(|id| !before.contains(id)).count() == 10).await;
        assert_eq!(rig.ledger().len(), 10, "{kind:?}: nothing is paid before somebody said so");
        for id in ids(&view).into_iter().rev() {
            rig.answer(run, Which::Interrupt(id), json!({ "action": "approve" })).await.unwrap();
        }
        let said: Vec<bool> = (0..10).map(|index| index % 2 == 0).collect();
        assert_eq!(rig.output(run).await, json!({ "said": said }), "{kind:?}: in the order of the items");
        let ledger = rig.ledger();
        let of = |file: &str| -> Vec<Value> {
            let text = std::fs::read_to_string(rig.ledger_folder().join(file)).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert!(ledger.values().all(|job| (job.starts, job.ends) == (1, 1)), "{kind:?}: {ledger:?}");
        assert_eq!((ledger.len(), of("look.jsonl").len(), of("pay.jsonl").len()), (20, 20, 20), "{kind:?}");
        rig.stop().await;
    }
}
