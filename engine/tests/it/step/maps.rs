//! Maps whose items have names and need each other.

use baton_common::commit::Input;
use serde_json::{Value, json};

use super::world::{World, failed, ok};

fn map(policy: &str, tool: &str) -> String {
    format!(
        "
baton: 1
graph: dag
input: {{ items: array }}
output: {{ kept: state.kept, errors: state.errors }}
state: {{ kept: object, errors: array }}
start: each
nodes:
  each:
    for_each: {{ in: input.items, as: one, by: one.id, after: one.needs, keep: output.v }}
    on_item_error: {policy}
    tool: {{ name: {tool}, args: {{ v: '{{{{ one.v }}}}', deps: '{{{{ deps }}}}' }} }}
    save: {{ kept: output, errors: errors }}
    then: end
"
    )
}

fn item(id: &str, v: i64, needs: &[&str]) -> Value {
    json!({"id": id, "v": v, "needs": needs})
}

#[test]
fn an_item_sees_what_those_it_needs_kept() {
    let items = [item("c", 3, &["a", "b"]), item("a", 1, &[]), item("b", 5, &["a"])];
    let mut world = World::started(&map("fail", "t.echo"), json!({"items": items}));
    let group = world.open.values().next().unwrap().clone();
    let needs: Vec<_> = group.tasks.iter().map(|task| task.needs.clone()).collect();
    assert_eq!(needs, [vec![1, 2], vec![], vec![1]]);
    let Input::Recipe { needs, .. } = serde_json::from_str(&group.tasks[0].body).unwrap() else { panic!("a recipe") };
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let done = [(1, json!({"v": 10})), (2, json!({"v": 20}))];
    let done = done.into_iter().map(|(index, value)| (index, ok(value).unwrap())).collect();
    assert_eq!(world.args_after(&group, 0, &done), Ok(json!({"v": 3, "deps": {"a": 10, "b": 20}})));
    assert_eq!(world.args(&group, 1), json!({"v": 1, "deps": {}}));
    world.close(&["each#1"]);
    assert_eq!(world.output(), json!({"kept": {"a": 1, "b": 5, "c": 3}, "errors": []}));
}

#[test]
fn dependents_of_a_failure_fail_and_errors_name_their_items() {
    let items = [item("a", 2, &[]), item("b", 1, &["a"]), item("c", 3, &[])];
    let mut world = World::started(&map("collect", "t.odd"), json!({"items": items}));
    world.close(&["each#1"]);
    let output = world.output();
    assert_eq!(output["kept"], json!({"a": null, "b": null, "c": 3}));
    let told =
        |index: usize| (output["errors"][index]["key"].clone(), output["errors"][index]["error"]["code"].clone());
    assert_eq!([told(0), told(1)], [(json!("a"), json!("even")), (json!("b"), json!("dependency_failed"))]);
}

#[test]
fn names_and_needs_that_are_wrong_fail_the_node_before_any_item_starts() {
    for (items, code) in [
        (vec![item("a", 1, &[]), item("a", 1, &[])], "duplicate_key"),
        (vec![item("a", 1, &["x"])], "unknown_dependency"),
        (vec![item("a", 1, &["b"]), item("b", 1, &["a"])], "dependency_cycle"),
        (vec![item("a", 1, &["a"])], "dependency_cycle"),
        (vec![json!({"id": 7, "needs": []})], "type_mismatch"),
    ] {
        let world = World::started(&map("collect", "t.echo"), json!({"items": items}));
        assert_eq!(world.failure(), ("each".to_owned(), code.to_owned()));
    }
}

#[test]
fn an_item_whose_arguments_fail_is_that_items_error() {
    let text = map("collect", "t.echo").replace("'{{ one.v }}'", "'{{ one.v }}', f: '{{ one.v.x | length }}'");
    let items = [item("a", 1, &[]), json!({"id": "b", "v": {"x": "four"}, "needs": []}), item("c", 1, &["a"])];
    let mut world = World::started(&text, json!({"items": items}));
    assert_eq!(world.open.values().next().unwrap().info.count, 1, "only one of them has a task");
    world.close(&["each#1"]);
    let output = world.output();
    assert_eq!(output["kept"]["b"], json!({"x": "four"}));
    let codes: Vec<&Value> = output["errors"].as_array().unwrap().iter().map(|error| &error["error"]["code"]).collect();
    assert_eq!(codes, ["template_failed", "dependency_failed"]);
    let alone = World::started(&text, json!({"items": [item("a", 1, &[])]}));
    assert_eq!(alone.output()["kept"], json!({"a": null}), "none of them has one");
    let strict = World::started(&text.replace("collect", "fail"), json!({"items": [item("a", 1, &[])]}));
    assert_eq!(strict.failure(), ("each".to_owned(), "template_failed".to_owned()));
    assert!(strict.end.unwrap().failure.unwrap().failure.message.starts_with("item 0 (a): "));
}

#[test]
fn a_quorum_has_exactly_as_many_results() {
    let text = map("{ quorum: 2 }", "t.echo");
    let items: Vec<Value> = ["a", "b", "c"].iter().map(|id| item(id, 1, &[])).collect();
    let mut world = World::started(&text, json!({"items": items}));
    let id = "each#1".parse().unwrap();
    let mut closed = world.closed(&id, vec![ok(json!({"v": 1})), failed("x"), ok(json!({"v": 3}))]);
    closed.outcomes[1] = ok(json!({"v": 2}));
    world.apply(baton_engine::step::Event::Closed(vec![closed]));
    assert_eq!(world.output()["kept"], json!({"a": 1, "b": 2, "c": null}));
}

#[test]
fn what_is_missing_at_the_deadline_becomes_errors() {
    let text = map("collect", "t.echo").replace("    then: end", "    deadline: 1m\n    then: end");
    let mut world = World::started(&text, json!({"items": [item("a", 1, &[]), item("b", 2, &[])]}));
    world.close_with("each#1", vec![ok(json!({"v": 1})), None]);
    assert_eq!(world.output()["errors"][0]["error"]["code"], "deadline_exceeded");
}

#[test]
fn what_is_kept_may_be_made_of_what_others_kept() {
    let text = map("collect", "t.odd")
        .replace("keep: output.v", "keep: 'output.v + (\"a\" in deps ? deps.a : 0) + (\"b\" in deps ? deps.b : 0)'");
    let items = [item("c", 3, &["a", "b"]), item("a", 1, &[]), item("b", 5, &["a"])];
    let mut world = World::started(&text, json!({"items": items}));
    let group = world.open.values().next().unwrap().clone();
    let done = [(1, ok(json!({"v": 1})).unwrap()), (2, ok(json!({"v": 5})).unwrap())].into_iter().collect();
    assert_eq!(world.args_after(&group, 0, &done).unwrap()["deps"], json!({"a": 1, "b": 6}));
    world.close(&["each#1"]);
    assert_eq!(world.output()["kept"], json!({"a": 1, "b": 6, "c": 10}));
}
