//! Chats: messages, what they cost, and results under keys.

use baton_common::commit::{Input, ResultKey};
use serde_json::{Value, json};

use super::world::{World, ok};

const CHAT: &str = "
baton: 1
graph: talk
input: { text: string, forget: { type: string, default: '' } }
output: { chat: state.chat }
state: { chat: { type: array, reduce: messages, keep: true } }
start: forget
nodes:
  forget: { save: { chat: 'input.forget == \"\" ? [] : [{\"id\": input.forget, \"remove\": true}]' }, then: hear }
  hear: { save: { chat: '{\"role\": \"user\", \"text\": input.text}' }, then: say }
  say: { tool: { name: t.echo, args: { chat: '{{ state.chat }}' } }, save: { chat: output.message }, then: end }
";

#[test]
fn messages_live_on_over_the_runs_of_a_thread_and_can_be_replaced_and_removed() {
    let mut world = World::started(CHAT, json!({"text": "hi"}));
    let chat = world.args(world.open.values().next().unwrap(), 0)["chat"].clone();
    let first = chat[0]["id"].as_str().unwrap().to_owned();
    world.close_with("say#1", vec![ok(json!({"message": {"role": "assistant", "text": "hello", "id": "m"}}))]);
    let pieces = world.pieces.len();
    let mut world = world.next_run("second", json!({"text": "hi", "forget": first}));
    let texts = |world: &World| -> Vec<Value> {
        world.state.values["chat"].as_array().unwrap().iter().map(|message| message["text"].clone()).collect()
    };
    assert_eq!(texts(&world), ["hello", "hi"]);
    assert_eq!(world.pieces.len(), pieces + 2);
    world.close_with("say#1", vec![ok(json!({"message": {"id": "m", "text": "hello again"}}))]);
    assert_eq!(texts(&world), ["hello again", "hi"]);
    assert_eq!(world.output()["chat"][0]["id"], "m");
}

#[test]
fn the_cost_of_chats_is_counted_against_its_limit() {
    let text = "
baton: 1
graph: costs
input: {}
output: {}
limits: { cost_usd: 0.50 }
start: talk
nodes:
  talk: { chat: { route: writer, user: 'say it' }, then: again }
  again: { chat: { route: writer, user: 'say it' }, then: end }
";
    let said = |cost: f64| vec![ok(json!({"text": "x", "usage": {"total": 1, "cost_usd": cost}}))];
    let run = |first, second| {
        let mut world = World::started(text, json!({}));
        world.close_with("talk#1", said(first));
        world.close_with("again#1", said(second));
        world
    };
    let within = run(0.1, 0.4);
    assert_eq!((within.output(), within.state.control.cost_nano_usd), (json!({}), 500_000_000));
    let beyond = run(0.1, 0.400_000_1);
    assert_eq!(beyond.failure().1, "limit_exceeded");
    assert!(beyond.end.unwrap().failure.unwrap().failure.message.contains("limits.cost_usd"));
}

#[test]
fn results_are_kept_under_keys_and_what_has_no_name_is_not() {
    let text = "
baton: 1
graph: keys
input: { issue: string }
output: {}
start: post
nodes:
  post:
    tool: { name: t.echo, args: { a: 1 }, key: '{{ input.issue }}' }
    cache: { key: 'day-{{ input.issue }}', ttl: 1h }
    then: end
";
    let input = |issue: &str| -> Input {
        let world = World::started(text, json!({"issue": issue}));
        let group = world.open.values().next().unwrap();
        assert_eq!(world.args(group, 0), json!({"a": 1}));
        serde_json::from_str(&group.tasks[0].body).unwrap()
    };
    let Input::Keyed { key, input: inner } = input("i-1") else { panic!("a key") };
    assert_eq!(key, ResultKey { text: "i-1".into(), ttl_ms: None });
    let Input::Keyed { key, input: inner } = *inner else { panic!("a cache") };
    assert_eq!(
        (key, *inner),
        (ResultKey { text: "day-i-1".into(), ttl_ms: Some(3_600_000) }, Input::Args(json!({"a": 1})))
    );
    let Input::Keyed { key, .. } = input("") else { panic!("a cache") };
    assert_eq!(key.text, "day-");
}

#[test]
fn an_output_is_held_to_its_schema() {
    let mut world = World::new(CHAT, json!({"text": "hi"}));
    world.graph.output_schema["properties"]["chat"] = json!({"type": "string"});
    world.apply(baton_engine::step::Event::Started);
    world.close_with("say#1", vec![ok(json!({"message": {"text": "hello"}}))]);
    assert_eq!(world.failure(), (String::new(), "output_failed".to_owned()));
}
