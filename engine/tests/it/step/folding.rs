//! What outcomes come to: maps, errors and routes.

use serde_json::json;

use super::world::{World, failed, ok};

fn map(policy: &str) -> String {
    format!(
        "
baton: 1
graph: map
input: {{ list: array }}
output: {{ kept: state.kept, errors: state.errors }}
state: {{ kept: array, errors: array }}
start: each
nodes:
  each:
    for_each: {{ in: input.list, as: one, keep: output.v * 10 + one }}
    on_item_error: {policy}
    tool: {{ name: t.odd, args: {{ v: '{{{{ one }}}}' }} }}
    save: {{ kept: output, errors: errors }}
    then: end
"
    )
}

#[test]
fn a_map_gives_a_list_in_item_order() {
    let mut world = World::started(&map("fail"), json!({"list": [1, 3, 5]}));
    world.close(&["each#1"]);
    assert_eq!(world.output(), json!({"kept": [11, 33, 55], "errors": []}));
}

#[test]
fn an_empty_list_closes_at_once() {
    assert_eq!(World::started(&map("fail"), json!({"list": []})).output(), json!({"kept": [], "errors": []}));
}

#[test]
fn a_map_that_collects_never_fails() {
    let mut world = World::started(&map("collect"), json!({"list": [1, 2, 3]}));
    world.close(&["each#1"]);
    let error = json!({"index": 1, "key": null, "item": 2, "error": {"code": "even", "message": "even"}});
    assert_eq!(world.output(), json!({"kept": [11, null, 33], "errors": [error]}));
}

#[test]
fn the_error_of_the_lowest_failed_index_fails_a_map() {
    let mut world = World::started(&map("fail"), json!({"list": [1, 2, 3]}));
    world.close_with("each#1", vec![None, failed("second"), failed("third")]);
    assert_eq!(world.failure(), ("each".to_owned(), "second".to_owned()));
}

#[test]
fn a_quorum_closes_with_enough_successes_and_fails_without() {
    let quorum = map("{ quorum: 2 }");
    let mut world = World::started(&quorum, json!({"list": [1, 2, 3, 5]}));
    world.close(&["each#1"]);
    assert_eq!(world.output()["kept"], json!([11, null, 33, null]));
    let mut world = World::started(&quorum, json!({"list": [1, 2, 4]}));
    world.close(&["each#1"]);
    assert_eq!(world.failure().1, "quorum");
    assert_eq!(World::started(&quorum, json!({"list": [1]})).failure().1, "quorum");
}

const WAYS: &str = "
baton: 1
graph: ways
input: { code: string }
output: { how: state.how, code: state.code }
state: { how: string, code: string, n: integer }
start: call
nodes:
  call:
    tool: { name: t.echo, args: { n: 1 } }
    save: { n: output.n, how: \"'went'\" }
    then: [ { when: state.n == 1, to: end } ]
    on_error: [ { when: \"error.code == input.code\", to: handle }, { when: \"error.code == 'given'\", fail: 'gave up: {{ error.message }} in {{ error.node }}' } ]
  handle: { save: { how: \"'handled'\" }, then: end }
";

#[test]
fn errors_are_routed_on() {
    let run = |code: &str, outcome| {
        let mut world = World::started(WAYS, json!({"code": code}));
        world.close_with("call#1", vec![outcome]);
        world
    };
    assert_eq!(run("x", ok(json!({"n": 1}))).output()["how"], "went");
    assert_eq!(run("x", failed("x")).output()["how"], "handled");
    let gave_up = run("x", failed("given"));
    assert_eq!(gave_up.end.as_ref().unwrap().failure.as_ref().unwrap().failure.message, "gave up: it failed in call");
    assert_eq!(gave_up.failure().1, "failed");
    assert_eq!(run("x", failed("other")).failure(), ("call".to_owned(), "other".to_owned()));
    assert_eq!(run("x", ok(json!({"n": 2}))).failure().1, "no_route");
}

#[test]
fn a_save_that_fails_writes_nothing_and_is_covered_by_on_error() {
    let mut world = World::started(WAYS, json!({"code": "type_mismatch"}));
    world.close_with("call#1", vec![ok(json!({"n": 1.5}))]);
    assert_eq!(world.output()["how"], "handled");
    assert!(!world.state.values.contains_key("n"));
}

#[test]
fn of_several_failures_the_first_by_name_is_the_error_and_the_rest_is_cancelled() {
    let text = "
baton: 1
graph: many
input: {}
output: {}
state: { a: string }
start: [c, b, a, d]
nodes:
  a: { tool: { name: t.echo, args: {} }, save: { a: \"'written'\" }, then: end }
  b: { tool: { name: t.fail, args: { code: of_b } }, then: end }
  c: { tool: { name: t.fail, args: { code: of_c } }, then: end }
  d: { tool: { name: t.echo, args: {} }, then: end }
";
    let mut world = World::started(text, json!({}));
    world.close(&["c#1", "b#1", "a#1"]);
    assert_eq!(world.failure(), ("b".to_owned(), "of_b".to_owned()));
    assert!(world.open.is_empty());
    assert!(world.state.values.is_empty(), "nothing of that superstep is written");
    assert_eq!(world.last.unwrap().effects.cancelled[0].to_string(), "d#1");
}

#[test]
fn what_a_failing_call_would_have_opened_never_is_but_for_what_outlives_the_run() {
    let text = "
baton: 1
graph: dropped
input: {}
output: {}
start: [job, tell, wrong]
nodes:
  job: { tool: { name: t.echo, args: {} }, then: end }
  tell: { notify: { name: t.echo, args: {} }, then: end }
  wrong: { then: [ { fail: gave up } ] }
";
    let world = World::started(text, json!({}));
    assert_eq!(world.failure(), ("wrong".to_owned(), "failed".to_owned()));
    assert!(world.open.is_empty());
    assert_eq!(world.detached.len(), 1);
    assert!(world.last.unwrap().effects.cancelled.is_empty(), "what was never opened is not cancelled");
}
