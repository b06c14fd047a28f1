//! Where a question is and what a run has under way, told and addressed the same way through
//! maps and called graphs; and what called graphs do not allow.

use baton_orchestrator::api::{Caller, ErrorKind, ForkRequest, Status, Which};
use serde_json::{Map, json};

use crate::rig::{Asks, Kind, Rig};

const PAYS: &str = "
baton: 1
graph: pays
input: { amounts: array }
output: { paid: state.paid }
state: { paid: integer }
start: pay
nodes:
  pay:
    for_each: input.amounts
    tool: { name: debug.ledger, args: { file: 'pay-{{ item }}.jsonl', effect: pure, ms: '{{ item }}' } }
    approve: { when: args.ms > 100, allow: [reject] }
    save: { paid: size(output) }
    then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn the_one_open_approval_beneath_a_node_is_answered_by_the_nodes_name() {
    let rig = Rig::start(Kind::Memory).await;
    let run = rig.submit(PAYS, json!({ "amounts": [1, 150, 2] }), Asks::default()).await;
    let asked = rig.asking(run, 1).await.questions.remove(0);
    assert_eq!((asked.node.as_str(), asked.index), ("pay/approve", 0));
    rig.answer_node(run, "pay", json!({ "action": "approve" })).await;
    assert_eq!(rig.output(run).await, json!({ "paid": 3 }));
    let again = rig.answer(run, Which::Node("pay".to_owned()), json!({ "action": "approve" })).await.unwrap();
    assert!(again.existed, "repeating it finds what is recorded");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_to_several_questions_is_refused_with_all_of_them() {
    let rig = Rig::start(Kind::Memory).await;
    let run = rig.submit(PAYS, json!({ "amounts": [150, 2, 160] }), Asks::default()).await;
    rig.asking(run, 2).await;
    let approve = json!({ "action": "approve" });
    let refused = rig.answer(run, Which::Node("pay".to_owned()), approve.clone()).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Invalid, "question_ambiguous"));
    assert!(refused.cause.ends_with(": pay/approve[0], pay/approve[1]"), "{refused}");
    for address in ["pay/approve[1]", "pay#1"] {
        rig.answer_node(run, address, approve.clone()).await;
    }
    assert_eq!(rig.output(run).await, json!({ "paid": 3 }));
    rig.stop().await;
}

const CALLS: &str = "
baton: 1
graph: calls
output: { said: state.said }
state: { said: array }
start: each
nodes:
  each: { for_each: \"['a', 'b']\", graph: { name: asks, args: { of: '{{ item }}' } }, save: { said: output }, then: end }
graphs:
  asks:
    input: { of: string }
    output: { say: state.say }
    state: { say: string }
    start: look
    nodes:
      look: { tool: { name: debug.ledger, args: { file: '{{ input.of }}.jsonl', effect: pure } }, then: ask }
      ask: { ask: { title: '{{ input.of }}?', fields: { say: string } }, save: { say: output.say }, then: end }
";

#[tokio::test(flavor = "multi_thread")]
async fn what_called_graphs_ask_and_do_is_told_and_addressed_from_the_caller() {
    let rig = Rig::start(Kind::Memory).await;
    let run = rig.submit(CALLS, json!({}), Asks::default()).await;
    let view = rig.asking(run, 2).await;
    let mut ways: Vec<String> = view.groups.iter().map(|one| format!("{}{}", one.prefix, one.group.node)).collect();
    ways.sort();
    assert_eq!(ways, ["each", "each[0]/ask", "each[1]/ask"]);
    let refused = rig.answer(run, Which::Node("each/ask".to_owned()), json!({ "say": "x" })).await.unwrap_err();
    assert!(refused.cause.ends_with(": each[0]/ask, each[1]/ask"), "{refused}");
    rig.answer_node(run, "each[1]", json!({ "say": "second" })).await;
    rig.asking(run, 1).await;
    rig.answer_node(run, "each/ask", json!({ "say": "first" })).await;
    assert_eq!(rig.output(run).await, json!({ "said": [{ "say": "first" }, { "say": "second" }] }));
    assert!(rig.get(run).await.groups.is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_run_is_neither_forked_nor_given_a_second_life_and_its_root_is_named() {
    let rig = Rig::start(Kind::Memory).await;
    let run = rig.submit(CALLS, json!({}), Asks::default()).await;
    let called = rig.asking(run, 2).await.questions[0].run;
    let (api, caller) = (rig.cluster.api(), Caller::local());
    let fork = ForkRequest { run: called, from: None, set: Map::new(), thread: None, request_id: None };
    let refused = api.fork(&caller, fork).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Conflict, "called_run"));
    assert_eq!(refused.cure, format!("fork run {run}"));
    let head = rig.get(called).await.head;
    let set = Map::from_iter([("say".to_owned(), json!("edited"))]);
    api.edit(&caller, called, head, set.clone()).await.expect("it is under way");
    api.cancel(&caller, run).await.unwrap();
    assert_eq!(rig.end(run).await.summary.status, Status::Cancelled);
    let over = rig.end(called).await;
    assert_eq!(over.summary.status, Status::Cancelled);
    let refused = api.retry(&caller, called, None).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.cure), ("called_run", format!("retry run {run}")));
    let refused = api.edit(&caller, called, over.head, set).await.unwrap_err();
    assert_eq!(refused.code, "called_run");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_has_nothing_under_way() {
    let rig = Rig::start(Kind::Memory).await;
    std::fs::create_dir(rig.ledger_folder().join("pay-2.jsonl")).unwrap();
    let run = rig.submit(PAYS, json!({ "amounts": [1, 2] }), Asks::default()).await;
    let view = rig.end(run).await;
    assert_eq!((view.summary.status, view.groups.len()), (Status::Failed, 0), "{view:?}");
    assert!(!rig.meter.store_detail(run).await.groups.is_empty(), "they are kept for a retry");
    rig.stop().await;
}
