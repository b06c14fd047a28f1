//! A node sees the state it was activated on, whatever others wrote meanwhile.

use serde_json::json;

use super::world::World;

const SLOW: &str = "
baton: 1
graph: slow
input: {}
output: { saw: state.saw, listed: state.listed, way: state.way, total: state.total, list: state.list, name: state.name }
state:
  total: { type: integer, reduce: sum, default: 0 }
  list: { type: array, reduce: append }
  name: string
  saw: integer
  listed: integer
  way: string
start: [quick, slow]
nodes:
  quick: { tool: { name: t.echo, args: { n: 10 } }, save: { total: output.n, list: '[1, 2]', name: \"'quick'\" }, then: again }
  again: { tool: { name: t.echo, args: { n: 10 } }, save: { total: output.n, list: 'null' }, then: last }
  last: { tool: { name: t.echo, args: { n: 10 } }, save: { list: '7' }, then: end }
  slow:
    tool: { name: t.echo, args: {} }
    save: { saw: state.total, listed: 'size(state.list)', total: '1', list: '9' }
    then: [ { when: 'state.total == 1 && state.list == [9] && state.name == null', to: alone }, { to: mixed } ]
  alone: { save: { way: \"'alone'\" }, then: end }
  mixed: { save: { way: \"'mixed'\" }, then: end }
";

#[test]
fn save_sees_the_snapshot_and_then_also_its_own_writes() {
    let orders: [&[&str]; 4] = [
        &["slow#1", "quick#1", "again#1", "last#1"],
        &["quick#1", "slow#1", "again#1", "last#1"],
        &["quick#1", "again#1", "slow#1", "last#1"],
        &["quick#1", "again#1", "last#1", "slow#1"],
    ];
    for order in orders {
        let mut world = World::started(SLOW, json!({}));
        for id in order {
            world.close(&[id]);
        }
        let output = world.output();
        assert_eq!(
            (&output["saw"], &output["listed"], &output["way"]),
            (&json!(0), &json!(0), &json!("alone")),
            "{order:?}"
        );
        assert_eq!(output["total"], 21);
    }
}

#[test]
fn a_list_that_only_grew_is_kept_by_its_length() {
    let text = "
baton: 1
graph: grown
input: {}
output: { saw: state.saw, list: state.list }
state: { list: { type: array, reduce: append }, saw: array }
start: begin
nodes:
  begin: { save: { list: '[1, 2]' }, then: [slow, quick] }
  quick: { tool: { name: t.echo, args: {} }, save: { list: '3' }, then: end }
  slow: { tool: { name: t.echo, args: {} }, save: { saw: state.list }, then: end }
";
    let mut world = World::started(text, json!({}));
    world.close(&["quick#1"]);
    let control = serde_json::to_value(&world.state.control).unwrap();
    assert_eq!(control["open"]["slow#1"]["kept"]["list"], json!({"length": 2}));
    world.close(&["slow#1"]);
    assert_eq!(world.output(), json!({"saw": [1, 2], "list": [1, 2, 3]}));
}
