//! What long runs and long threads cost, counted in what a step hands over.

use baton_common::{Gen, Timestamp};
use baton_engine::state::RunState;
use baton_engine::step::{ClosedGroup, Effects, Event, step};
use serde_json::{Value, json};

use super::world::{World, ok, tools};

const COUNT: &str = "
baton: 1
graph: count
input: {}
output: { n: state.n }
state: { n: { type: integer, reduce: sum, default: 0 }, last: string, text: { type: string, default: a } }
limits: { steps: 1000000 }
start: add
nodes:
  add: { save: { n: '1', last: state.text }, then: [ { when: state.n < 20000, to: other }, { to: end } ] }
  other: { save: { n: '1', text: state.last }, then: add }
";

fn weight(effects: &Effects) -> usize {
    serde_json::to_string(&(&effects.checkpoints, &effects.segments, &effects.open)).unwrap().len()
}

#[test]
fn the_end_of_a_long_run_costs_what_its_beginning_did() {
    let world = World::new(COUNT, json!({}));
    let mut state = RunState::first(&world.info, Gen(0), None).unwrap();
    let mut event = Event::Started;
    let (mut weights, mut controls) = (Vec::new(), Vec::new());
    loop {
        let made = step(&world.graph, &tools(), state, event, Timestamp(0)).unwrap();
        weights.push(weight(&made.effects) / made.effects.checkpoints.len());
        controls.push(serde_json::to_string(&made.state.control).unwrap().len());
        state = made.state;
        if let Some(end) = made.effects.end {
            assert_eq!(end.output, Some(json!({"n": 20_001})));
            break;
        }
        let info = made.effects.open[0].info.clone();
        let closed = ClosedGroup { info, state: Default::default(), outcomes: vec![ok(Value::Null)], owed: Vec::new() };
        event = Event::Closed(vec![closed]);
    }
    let (first, last) = (weights[0], weights[weights.len() - 2]);
    assert!(weights.len() > 15 && last * 100 <= first * 105, "{first} bytes a superstep at first, {last} at last");
    assert!(controls[controls.len() - 2] <= controls[0] + 20, "{controls:?}");
}

const CHAT: &str = "
baton: 1
graph: chat
input: { text: string }
output: { said: state.said }
state: { chat: { type: array, reduce: messages, keep: true }, said: string }
start: hear
nodes:
  hear: { save: { chat: '{\"role\": \"user\", \"text\": input.text}' }, then: say }
  say: { tool: { name: t.echo, args: { chat: '{{ state.chat }}' } }, save: { chat: '{\"role\": \"assistant\", \"text\": output.text}', said: output.text }, then: end }
";

#[test]
fn a_thread_of_200_turns_stores_about_what_its_messages_weigh() {
    let said = "x".repeat(1_000);
    let mut world = World::started(CHAT, json!({"text": said}));
    let mut stored = Vec::new();
    for turn in 1..=200 {
        let mut bytes = weight(&world.last.as_ref().unwrap().effects);
        world.close_with("say#1", vec![ok(json!({"text": said}))]);
        bytes += weight(&world.last.as_ref().unwrap().effects);
        stored.push(bytes);
        if turn < 200 {
            world = world.next_run(&format!("turn-{turn}"), json!({"text": said}));
        }
    }
    assert_eq!(world.state.values["chat"].as_array().map(Vec::len), Some(400));
    let (tenth, last) = (stored[9], stored[199]);
    assert!(last * 100 <= tenth * 120, "{tenth} bytes in the tenth turn, {last} in the last");
    let all: usize = stored.iter().sum();
    assert!(all <= 1_100_000, "{all} bytes for 400 messages of 1 KB");
}

#[test]
fn checkpoints_stay_small_however_many_nodes_a_graph_has() {
    let line = |nodes: usize| {
        let mut text = "baton: 1\ngraph: line\nstart: n0\nnodes:\n".to_owned();
        for number in 0..nodes {
            let next = if number + 1 == nodes { "end".to_owned() } else { format!("n{}", number + 1) };
            text += &format!("  n{number}: {{ then: {next} }}\n");
        }
        let world = World::started(&text, json!({}));
        assert_eq!(world.output(), json!({}));
        serde_json::to_string(world.history.last().unwrap()).unwrap().len()
    };
    let (short, long) = (line(4), line(400));
    assert!(long <= short + 400 / 4 + 20, "{short} bytes for 4 nodes, {long} for 400");
}
