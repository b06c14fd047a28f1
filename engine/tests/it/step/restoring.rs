//! Each checkpoint holds its state whole.

use baton_common::Seq;
use baton_engine::state::Control;
use serde_json::json;

use super::world::World;

const TURNS: &str = "
baton: 1
graph: turns
input: { turns: integer }
output: { log: state.log, n: state.n }
state:
  n: { type: integer, reduce: sum, default: 0 }
  big: string
  small: integer
  log: { type: array, reduce: append }
  set: { type: array, reduce: union }
start: [turn, slow]
nodes:
  turn:
    tool: { name: t.echo, args: { v: '{{ state.n }}' } }
    save: { n: '1', small: output.v, log: output.v, set: output.v % 2 }
    then: [ { when: state.n == 4, to: drop }, { when: state.n < input.turns, to: turn }, { to: end } ]
  drop: { save: { log: 'null', small: 'null' }, then: turn }
  slow: { tool: { name: t.echo, args: {} }, save: { big: \"state.n == 0 && size(state.log) == 0 ? 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' : ''\" }, then: end }
";

#[test]
fn every_checkpoint_loads_to_the_state_it_was_made_of() {
    let mut world = World::started(TURNS, json!({"turns": 9}));
    let mut states = vec![world.state.clone()];
    for turn in 1..=9 {
        if turn == 6 {
            world.close(&["slow#1"]);
            states.push(world.state.clone());
        }
        world.close(&[&format!("turn#{turn}")]);
        states.push(world.state.clone());
    }
    assert_eq!(world.output(), json!({"log": [4, 5, 6, 7, 8], "n": 9}));
    for state in &states {
        assert_eq!(&world.load(state.head), state);
        let text = serde_json::to_string(&state.control).unwrap();
        assert_eq!(serde_json::from_str::<Control>(&text).unwrap(), state.control);
    }
    let fulls = world.history.iter().filter(|one| one.full).count();
    assert!(fulls > 1 && fulls < world.history.len(), "{fulls} of {}", world.history.len());
}

#[test]
fn equal_histories_have_equal_hashes_and_others_have_not() {
    let hashes = |turns| {
        let mut world = World::started(TURNS, json!({"turns": turns}));
        world.close(&["turn#1"]);
        world.history.iter().map(|one| one.hash).collect::<Vec<_>>()
    };
    assert_eq!(hashes(5), hashes(5));
    assert_ne!(hashes(5), hashes(6), "the input is part of it");
    assert_ne!(hashes(5)[0], hashes(5)[1]);
}

#[test]
fn pieces_are_stored_once() {
    let mut world = World::started(TURNS, json!({"turns": 3}));
    for turn in 1..=3 {
        world.close(&[&format!("turn#{turn}")]);
    }
    assert_eq!(world.pieces[&("log".to_owned(), 2)], "[2]");
    assert!(world.history.iter().all(|one| !one.writes.contains_key("log")));
    assert_eq!(world.load(Seq(2)).values["log"].as_array().map(Vec::len), Some(1));
}
