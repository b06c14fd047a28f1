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
