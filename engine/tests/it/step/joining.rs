//! Branches and joins.

use serde_json::json;

use super::world::World;

const FORK: &str = "
baton: 1
graph: fork
input: {}
output: { log: state.log }
state: { log: { type: array, reduce: append }, a: string, b: string }
start: [a, b]
nodes:
  a: { tool: { name: t.echo, args: { v: a } }, save: { a: output.v }, then: gather }
  b: { tool: { name: t.echo, args: { v: b } }, save: { b: output.v }, then: more }
  more: { tool: { name: t.echo, args: { v: '{{ state.b }}' } }, save: { b: 'output.v + \"!\"' }, then: gather }
  gather: { join: all, save: { log: 'state.a + state.b' }, then: end }
";

#[test]
fn a_join_runs_once_when_nothing_can_reach_it_any_more() {
    let mut world = World::started(FORK, json!({}));
    world.close(&["a#1"]);
    assert_eq!(world.waiting(), ["b#1"]);
    assert!(world.state.control.arrived.iter().any(|node| node.as_str() == "gather"));
    world.close(&["b#1"]);
    world.close(&["more#1"]);
    assert_eq!(world.output(), json!({"log": ["ab!"]}));
}

#[test]
fn no_branch_waits_for_another() {
    let mut world = World::started(FORK, json!({}));
    world.close(&["b#1"]);
    assert_eq!(world.waiting(), ["a#1", "more#1"]);
    world.close(&["more#1"]);
    world.close(&["a#1"]);
    assert_eq!(world.output(), json!({"log": ["ab!"]}));
}

#[test]
fn a_join_in_a_loop_runs_once_each_turn() {
    let text = "
baton: 1
graph: turns
input: {}
output: { turns: state.turns, a: state.a, b: state.b }
state:
  turns: { type: integer, reduce: sum, default: 0 }
  a: { type: integer, reduce: sum, default: 0 }
  b: { type: integer, reduce: sum, default: 0 }
start: head
nodes:
  head: { save: { turns: '1' }, then: [a, b] }
  a: { tool: { name: t.echo, args: {} }, save: { a: '1' }, then: gather }
  b: { tool: { name: t.echo, args: {} }, save: { b: '1' }, then: gather }
  gather: { join: all, then: [ { when: state.turns < 3, to: head }, { to: end } ] }
";
    let mut world = World::started(text, json!({}));
    for turn in 1..=3 {
        assert_eq!(world.waiting(), [format!("a#{turn}"), format!("b#{turn}")]);
        world.close(&[&format!("b#{turn}")]);
        assert_eq!(world.waiting(), [format!("a#{turn}")]);
        world.close(&[&format!("a#{turn}")]);
    }
    assert_eq!(world.output(), json!({"turns": 3, "a": 3, "b": 3}));
}

const RACE: &str = "
baton: 1
graph: race
input: {}
output: { log: state.log, won: state.won }
state: { log: { type: array, reduce: append }, won: { type: integer, reduce: sum, default: 0 } }
start: [fast, slow, aside]
nodes:
  fast: { tool: { name: t.echo, args: {} }, save: { log: \"'fast'\" }, then: first }
  slow: { tool: { name: t.echo, args: {} }, save: { log: \"'slow'\" }, then: more }
  more: { tool: { name: t.echo, args: {} }, then: first }
  aside: { tool: { name: t.echo, args: {} }, save: { log: \"'aside'\" }, then: [first, note] }
  note: { save: { log: \"'note'\" }, then: end }
  first: { join: any, save: { won: '1' }, then: after }
  after: { tool: { name: t.echo, args: {} }, then: end }
";

#[test]
fn a_join_any_runs_at_the_first_arrival_and_drops_who_leads_nowhere_else() {
    let mut world = World::started(RACE, json!({}));
    world.close(&["fast#1"]);
    assert_eq!(world.waiting(), ["after#1", "aside#1"], "slow is cancelled, aside leads elsewhere too");
    let cancelled = &world.last.as_ref().unwrap().effects.cancelled;
    assert_eq!(cancelled.iter().map(ToString::to_string).collect::<Vec<_>>(), ["slow#1"]);
    world.close(&["aside#1"]);
    assert_eq!(world.waiting(), ["after#1"], "its later arrival is dropped");
    world.close(&["after#1"]);
    assert_eq!(world.output(), json!({"log": ["fast", "aside", "note"], "won": 1}));
}

#[test]
fn arrivals_of_one_superstep_count_once() {
    let mut world = World::started(RACE, json!({}));
    world.close(&["fast#1", "aside#1"]);
    assert_eq!(world.waiting(), ["after#1"]);
    world.close(&["after#1"]);
    assert_eq!(world.output()["won"], 1);
    let mut world = World::started(RACE, json!({}));
    world.close(&["slow#1"]);
    world.close(&["more#1"]);
    assert_eq!(world.waiting(), ["after#1", "aside#1"]);
}

#[test]
fn an_arrival_in_a_new_turn_is_a_new_activation_and_a_late_one_is_not() {
    let text = "
baton: 1
graph: turns
input: {}
output: { won: state.won }
state: { won: { type: integer, reduce: sum, default: 0 } }
start: head
nodes:
  head: { then: [a, b] }
  a: { tool: { name: t.echo, args: {} }, then: first }
  b: { tool: { name: t.echo, args: {} }, then: [first, side] }
  side: { tool: { name: t.echo, args: {} }, then: end }
  first: { join: any, save: { won: '1' }, then: gate }
  gate: { tool: { name: t.echo, args: {} }, then: [ { when: state.won < 3, to: head }, { to: end } ] }
";
    let mut world = World::started(text, json!({}));
    world.close(&["a#1"]);
    world.close(&["gate#1"]);
    assert_eq!(world.waiting(), ["a#2", "b#1", "b#2"]);
    world.close(&["b#1"]);
    assert_eq!(world.waiting(), ["a#2", "b#2", "side#1"], "b of the first turn comes too late for the second");
    world.close(&["b#2"]);
    assert_eq!(world.waiting(), ["gate#2", "side#1", "side#2"], "a of the second turn leads nowhere else");
    world.close(&["gate#2", "side#1", "side#2"]);
    world.close(&["a#3", "b#3"]);
    world.close(&["gate#3", "side#3"]);
    assert_eq!(world.output(), json!({"won": 3}));
}

#[test]
fn a_branch_that_is_late_starts_afresh_with_the_next_turn() {
    let text = "
baton: 1
graph: again
input: {}
output: { won: state.won }
state: { won: { type: integer, reduce: sum, default: 0 }, turns: { type: integer, reduce: sum, default: 0 } }
start: head
nodes:
  head: { save: { turns: '1' }, then: [a, b] }
  a: { tool: { name: t.echo, args: {} }, then: first }
  b: { tool: { name: t.echo, args: {} }, then: [ { when: state.turns < 2, to: head }, { to: [first, note] } ] }
  note: { then: end }
  first: { join: any, save: { won: '1' }, then: [ { when: state.won > 9, to: head }, { to: end } ] }
";
    let mut world = World::started(text, json!({}));
    world.close(&["a#1"]);
    assert_eq!(world.waiting(), ["b#1"], "it may lead elsewhere");
    world.close(&["b#1"]);
    world.close(&["a#2"]);
    assert_eq!(*world.state.values["won"], json!(2));
    world.close(&["b#2"]);
    assert_eq!(world.output(), json!({"won": 2}));
}

#[test]
fn an_end_or_another_turn_is_no_place_to_lead_to() {
    let text = "
baton: 1
graph: ends
input: {}
output: { won: state.won }
state: { won: { type: integer, reduce: sum, default: 0 }, turns: { type: integer, reduce: sum, default: 0 } }
start: head
nodes:
  head: { save: { turns: '1' }, then: [a, b, c] }
  a: { tool: { name: t.echo, args: {} }, then: first }
  b: { tool: { name: t.echo, args: {} }, then: [ { when: state.turns > 9, to: head }, { to: first } ] }
  c: { tool: { name: t.echo, args: {} }, then: [ { when: state.won > 9, to: first }, { to: end } ] }
  first: { join: any, save: { won: '1' }, then: [ { when: state.turns < 0, to: head }, { to: end } ] }
";
    let mut world = World::started(text, json!({}));
    world.close(&["a#1"]);
    assert_eq!(world.output(), json!({"won": 1}));
}
