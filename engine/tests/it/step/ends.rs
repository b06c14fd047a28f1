//! How runs end, and what their limits are.

use baton_common::job::Outcome;
use baton_common::records::RunStatus;
use baton_common::{BlobRef, Digest, Payload};
use baton_engine::step::{Error, Event};
use serde_json::json;

use super::world::{World, failed, ok};

const LINE: &str = "
baton: 1
graph: line
input: { text: string }
output: { said: state.said, count: state.count }
state: { said: string, count: { type: integer, reduce: sum, default: 0 } }
start: first
nodes:
  first: { tool: { name: t.echo, args: { text: '{{ input.text }}!' } }, save: { said: output.text, count: '1' }, then: second }
  second: { tool: { name: t.echo, args: { text: '{{ state.said }}?' } }, save: { said: output.text, count: '1' }, then: end }
";

#[test]
fn a_line_of_tools_runs_to_its_output() {
    let mut world = World::started(LINE, json!({"text": "hi"}));
    assert_eq!(world.waiting(), ["first#1"]);
    world.close(&["first#1"]);
    assert_eq!(world.waiting(), ["second#1"]);
    world.close(&["second#1"]);
    assert_eq!(world.output(), json!({"said": "hi!?", "count": 2}));
    assert_eq!(world.history.len(), 3);
    assert_eq!(world.history[1].wrote["said"].as_str(), "first");
}

#[test]
fn a_failure_without_handler_fails_the_run() {
    let mut world = World::started(LINE, json!({"text": "hi"}));
    world.close_with("first#1", vec![failed("broken")]);
    assert_eq!(world.failure(), ("first".to_owned(), "broken".to_owned()));
    assert_eq!(world.history.len(), 1, "nothing of that superstep is written");
}

#[test]
fn a_cancelled_run_cancels_what_is_open() {
    let mut world = World::started(LINE, json!({"text": "hi"}));
    world.apply(Event::Cancelled(Vec::new()));
    assert_eq!(world.end.as_ref().unwrap().status, RunStatus::Cancelled);
    assert!(world.open.is_empty());
}

#[test]
fn a_run_out_of_time_exceeds_a_limit() {
    let mut world = World::started(LINE, json!({"text": "hi"}));
    world.apply(Event::DurationOver);
    assert_eq!(world.failure(), (String::new(), "limit_exceeded".to_owned()));
    assert!(world.open.is_empty());
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let mut world = World::started(LINE, json!({"text": "hi"}));
    let closed = world.run_tasks(&"first#1".parse().unwrap());
    assert!(matches!(world.step(Event::Started), Err(Error::AlreadyStarted { .. })));
    world.apply(Event::Closed(vec![closed.clone()]));
    assert!(matches!(world.step(Event::Closed(vec![closed])), Err(Error::NotOpen { .. })));
}

#[test]
fn a_result_in_a_blob_is_named_in_the_state() {
    let blob = BlobRef { key: "k".into(), bytes: 9, digest: Digest::of("x"), media_type: "application/json".into() };
    let mut world = World::started(
        &LINE.replace("said: string", "said: object").replace("output.text", "output"),
        json!({"text": "hi"}),
    );
    world.close_with("first#1", vec![Some(Outcome::Ok(Payload::Blob(blob)))]);
    assert_eq!(world.state.values["said"]["$blob"]["key"], "k");
}

const LOCAL: &str = "
baton: 1
graph: local
input: { stop: integer }
output: { n: state.n }
state: { n: { type: integer, reduce: sum, default: 0 } }
limits: { steps: 20 }
start: add
nodes:
  add:
    save: { n: '1' }
    then: [ { when: state.n < input.stop, to: add }, { to: end } ]
";

#[test]
fn local_nodes_run_on_within_one_call_each_with_its_own_checkpoint() {
    let world = World::started(LOCAL, json!({"stop": 5}));
    assert_eq!(world.output(), json!({"n": 5}));
    assert_eq!(world.history.len(), 6);
}

#[test]
fn more_activations_than_the_limit_fail_the_run() {
    assert_eq!(World::started(LOCAL, json!({"stop": 20})).output(), json!({"n": 20}));
    let world = World::started(LOCAL, json!({"stop": 21}));
    assert_eq!(world.failure(), (String::new(), "limit_exceeded".to_owned()));
}

#[test]
fn tokens_of_chats_are_counted_against_their_limit() {
    let text = "
baton: 1
graph: talk
input: {}
output: { said: state.said }
state: { said: string }
limits: { tokens: 100 }
start: talk
nodes:
  talk: { chat: { route: writer, user: 'say it' }, save: { said: output.text }, then: again }
  again: { chat: { route: writer, user: 'say it' }, then: third }
  third: { chat: { route: writer, user: 'say it' }, then: end }
";
    let mut world = World::started(text, json!({}));
    world.close(&["talk#1"]);
    world.close(&["again#1"]);
    assert_eq!(world.state.control.tokens, 84);
    world.close(&["third#1"]);
    assert_eq!(world.failure(), (String::new(), "limit_exceeded".to_owned()));
}

#[test]
fn an_error_in_the_output_fails_the_run() {
    let world = World::started(&LOCAL.replace("{ n: state.n }", "{ n: 1 / (state.n - state.n) }"), json!({"stop": 1}));
    assert_eq!(world.failure().1, "output_failed");
    assert_eq!(world.history.len(), 2);
}

#[test]
fn kept_channels_live_on_over_runs_and_others_do_not() {
    let text = "
baton: 1
graph: chat
input: { text: string }
output: { log: state.log, last: state.last, seen: state.seen }
state:
  log: { type: array, reduce: append, keep: true }
  seen: { type: array, reduce: append }
  last: { type: string, keep: true }
  turn: string
start: hear
nodes:
  hear: { tool: { name: t.echo, args: { text: '{{ input.text }}', before: '{{ state.last }}' } }, save: { log: output.text, seen: output.text, last: output.text, turn: output.text }, then: end }
";
    let mut world = World::started(text, json!({"text": "a"}));
    world.close(&["hear#1"]);
    assert_eq!(world.output(), json!({"log": ["a"], "last": "a", "seen": ["a"]}));
    let mut world = world.next_run("second", json!({"text": "b"}));
    assert!(!world.state.values.contains_key("turn"));
    let group = world.open.values().next().unwrap().clone();
    assert_eq!(world.args(&group, 0)["before"], "a");
    world.close_with("hear#1", vec![ok(json!({"text": "b"}))]);
    assert_eq!(world.output(), json!({"log": ["a", "b"], "last": "b", "seen": ["b"]}));
}
