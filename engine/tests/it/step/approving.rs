//! Calls that a person may have to approve first.

use baton_common::commit::QuestionForm;
use baton_common::records::TaskKind;
use serde_json::json;

use super::world::{World, failed};

fn pay(policy: &str) -> String {
    format!(
        "
baton: 1
graph: pay
input: {{ sums: array }}
output: {{ paid: state.paid, errors: state.errors, how: state.how }}
state: {{ paid: array, errors: array, how: string, rate: {{ type: integer, default: 0 }} }}
start: [pay, raise]
nodes:
  pay:
    for_each: {{ in: input.sums, as: sum, keep: output.amount }}
    on_item_error: {policy}
    tool: {{ name: t.echo, args: {{ amount: '{{{{ sum + state.rate }}}}' }} }}
    approve: {{ when: args.amount > 100, allow: [edit, reject] }}
    save: {{ paid: output, errors: errors }}
    then: end
    on_error: note
  note: {{ save: {{ how: \"'noted'\" }}, then: end }}
  raise: {{ tool: {{ name: t.echo, args: {{}} }}, save: {{ rate: '7' }}, then: end }}
"
    )
}

fn asked(world: &mut World, decisions: &[serde_json::Value]) {
    let group = &world.open[&"pay/approve#1".parse().unwrap()];
    assert_eq!((group.info.kind, group.tasks.len()), (TaskKind::Ask, decisions.len()));
    let answers = group.tasks.iter().zip(decisions).map(|(task, decision)| {
        let question: baton_common::commit::Question = serde_json::from_str(&task.body).unwrap();
        super::world::ok(baton_engine::answer::check_answer(&question.form, decision, "ann").unwrap())
    });
    let answers = answers.collect();
    world.close_with("pay/approve#1", answers);
}

#[test]
fn calls_run_as_they_were_approved_edited_or_not_asked_about() {
    let mut world = World::started(&pay("collect"), json!({"sums": [5, 200, 300, 400]}));
    assert_eq!(world.waiting(), ["pay/approve#1", "raise#1"]);
    let question = world.question("pay/approve#1");
    assert_eq!(question.title, "May pay call t.echo, item 1?");
    let QuestionForm::Approval { original, allow, .. } = question.form else { panic!("an approval") };
    assert_eq!((original, allow), (json!({"amount": 200}), ["approve", "edit", "reject"].map(str::to_owned).to_vec()));
    world.close(&["raise#1"]);
    let edit = json!({"action": "edit", "value": {"amount": 30}});
    asked(&mut world, &[json!({"action": "approve"}), edit, json!({"action": "reject", "comment": "too much"})]);
    assert_eq!(world.waiting(), ["pay#1"]);
    let group = world.open.values().next().unwrap().clone();
    let amounts: Vec<_> = (0..3).map(|index| world.args(&group, index)["amount"].clone()).collect();
    assert_eq!(amounts, [json!(5), json!(200), json!(30)], "on the state they were asked about");
    world.close(&["pay#1"]);
    assert_eq!(world.output()["paid"], json!([5, 200, 30, null]));
    let error = &world.output()["errors"][0];
    assert_eq!((&error["index"], &error["error"]["code"]), (&json!(3), &json!("rejected")));
    assert_eq!(error["error"]["message"], "too much");
}

#[test]
fn a_call_that_is_rejected_or_not_decided_fails_its_node() {
    let mut world = World::started(&pay("fail"), json!({"sums": [200]}));
    world.close(&["raise#1"]);
    asked(&mut world, &[json!({"action": "reject"})]);
    assert_eq!(world.output()["how"], "noted");
    let mut world = World::started(&pay("fail"), json!({"sums": [200]}));
    world.close(&["raise#1"]);
    world.close_with("pay/approve#1", vec![failed("expired")]);
    assert_eq!(world.output()["how"], "noted");
}

#[test]
fn nobody_is_asked_where_no_condition_holds() {
    let world = World::started(&pay("fail"), json!({"sums": [5, 6]}));
    assert_eq!(world.waiting(), ["pay#1", "raise#1"]);
}
