//! Going on from a checkpoint, and changing a state from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::Seq;
use baton_common::commit::NewGroup;
use baton_engine::state::RunState;
use baton_engine::step::{Error, Event, edit};
use serde_json::{Value, json};

use super::world::{NOW, World};

const SLOW: &str = "
baton: 1
graph: slow
input: {}
output: { log: state.log, saw: state.saw, name: state.name }
state: { log: { type: array, reduce: append }, saw: integer, n: { type: integer, reduce: sum, default: 0 }, name: string }
start: [quick, slow]
nodes:
  quick: { tool: { name: t.echo, args: { n: '{{ state.n }}' } }, save: { n: '1', log: output.n }, then: [ { when: state.n < 3, to: quick }, { to: gather } ] }
  slow: { tool: { name: t.echo, args: { n: '{{ state.n }}' } }, approve: { when: args.n == 0, allow: [edit] }, save: { saw: output.n + state.n }, then: gather }
  gather: { join: all, save: { name: 'state.name == null ? \"none\" : state.name' }, then: end }
";

/// The state at a checkpoint, and those its open activations were made from.
fn at(world: &World, seq: Seq) -> (RunState, BTreeMap<Seq, Arc<RunState>>) {
    let state = world.load(seq);
    let bases = state.bases().into_iter().map(|base| (base, Arc::new(world.load(base)))).collect();
    (state, bases)
}

fn resumed(world: &World, seq: Seq) -> World {
    let (state, bases) = at(world, seq);
    let mut again = World::new(SLOW, json!({}));
    again.history = world.history.iter().take_while(|one| one.seq <= seq).cloned().collect();
    again.pieces.clone_from(&world.pieces);
    again.state = state;
    let numbers = again.state.segments.clone();
    again.pieces.retain(|(channel, number), _| numbers.get(&**channel).is_some_and(|span| *number < span.end));
    again.apply(Event::Resumed(bases));
    again
}

#[test]
fn what_was_open_is_opened_again_as_it_was() {
    let mut world = World::started(SLOW, json!({}));
    let mut open: Vec<(Seq, BTreeMap<_, NewGroup>)> = vec![(world.state.head, world.open.clone())];
    for turn in 1..=3 {
        world.close(&[&format!("quick#{turn}")]);
        open.push((world.state.head, world.open.clone()));
    }
    world.answer("slow/approve#1", &json!({"action": "edit", "value": {"n": 40}}));
    open.push((world.state.head, world.open.clone()));
    world.close(&["slow#1"]);
    let expected = json!({"log": [0, 1, 2], "saw": 40, "name": "none"});
    assert_eq!(world.output(), expected);
    for (seq, groups) in open {
        let mut again = resumed(&world, seq);
        assert_eq!(again.open, groups, "the same groups, inputs and digests at {seq}");
        assert!(again.last.as_ref().unwrap().effects.checkpoints.is_empty());
        while again.end.is_none() {
            match again.waiting()[0].clone() {
                id if id.contains("approve") => again.answer(&id, &json!({"action": "edit", "value": {"n": 40}})),
                id => again.close(&[&id]),
            }
        }
        assert_eq!(again.output(), expected);
    }
    let again = resumed(&world, world.state.head);
    assert_eq!(again.output(), expected, "the last checkpoint leads to its output");
}

#[test]
fn a_resume_before_the_first_superstep_is_a_start() {
    let mut world = World::new(SLOW, json!({}));
    world.apply(Event::Resumed(BTreeMap::new()));
    assert_eq!(world.waiting(), ["quick#1", "slow/approve#1"]);
}

#[test]
fn a_base_that_is_missing_is_told() {
    let mut world = World::started(SLOW, json!({}));
    world.close(&["quick#1"]);
    let missing = world.step(Event::Resumed(BTreeMap::new()));
    assert!(matches!(missing, Err(Error::NoBase { base: Seq(1), .. })));
}

#[test]
fn an_edit_is_a_checkpoint_of_its_own_and_open_activations_do_not_see_it() {
    let mut world = World::started(SLOW, json!({}));
    world.close(&["quick#1"]);
    let writes = BTreeMap::from([("n", json!(2)), ("log", json!([7, 8])), ("name", json!("ann"))]);
    let writes = writes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let superstep = world.state.superstep;
    let (state, checkpoint, pieces) = edit(&world.graph, world.state.clone(), &writes, NOW).unwrap();
    assert_eq!((checkpoint.parent, checkpoint.superstep), (world.state.head, superstep));
    assert_eq!(checkpoint.wrote["log"].as_str(), "/edit");
    world.pieces.extend(pieces.into_iter().map(|piece| ((piece.channel.to_string(), piece.number), piece.body)));
    world.history.push(checkpoint);
    world.state = state;
    assert_eq!(world.load(world.state.head), world.state);
    world.close(&["quick#2"]);
    assert_eq!(world.waiting(), ["quick#3", "slow/approve#1"], "quick decides by the state it was made from");
    world.close(&["quick#3"]);
    world.answer("slow/approve#1", &json!({"action": "approve"}));
    world.close(&["slow#1"]);
    assert_eq!(world.output(), json!({"log": [7, 8, 1, 3], "saw": 0, "name": "ann"}));
}

#[test]
fn who_was_to_run_next_sees_an_edit_and_who_is_older_does_not() {
    let mut world = World::started(SLOW, json!({}));
    world.close(&["quick#1"]);
    let writes = BTreeMap::from([("n".to_owned(), json!(2)), ("name".to_owned(), json!("ann"))]);
    let (state, checkpoint, _) = edit(&world.graph, world.state.clone(), &writes, NOW).unwrap();
    world.history.push(checkpoint);
    world.state = state;
    let bases = at(&world, world.state.head).1;
    world.open.clear();
    world.apply(Event::Resumed(bases));
    let args = |id: &str| world.args(&world.open[&id.parse().unwrap()], 0);
    assert_eq!(args("quick#2"), json!({"n": 2}));
    assert!(world.question("slow/approve#1").title.contains("slow"), "it asks about n = 0");
    world.close(&["quick#2"]);
    world.answer("slow/approve#1", &json!({"action": "approve"}));
    world.close(&["slow#1"]);
    assert_eq!(world.output(), json!({"log": [0, 2], "saw": 0, "name": "ann"}));
}

#[test]
fn an_edit_is_held_to_the_channels_of_the_graph() {
    let world = World::started(SLOW, json!({}));
    let code = |name: &str, value: Value| {
        let writes = BTreeMap::from([(name.to_owned(), value)]);
        edit(&world.graph, world.state.clone(), &writes, NOW).map(|_| ()).map_err(|failure| failure.code)
    };
    assert_eq!(code("nam", json!("x")), Err("unknown_channel".to_owned()));
    assert_eq!(code("name", json!(7)), Err("type_mismatch".to_owned()));
    assert_eq!(code("log", json!(7)), Err("type_mismatch".to_owned()));
    assert_eq!(code("name", json!(null)), Ok(()));
}

#[test]
fn a_state_that_was_being_taken_back_is_not_gone_on_from() {
    let text = "
baton: 1
graph: undo
input: {}
output: {}
start: book
nodes:
  book: { tool: { name: t.echo, args: {} }, undo: { tool: { name: t.undo, args: {} } }, then: pay }
  pay: { tool: { name: t.fail, args: { code: boom } }, then: end }
";
    let mut world = World::started(text, json!({}));
    world.close(&["book#1"]);
    let before = world.state.head;
    world.close(&["pay#1"]);
    assert_eq!(world.state.control.undo.as_ref().unwrap().from, before);
    world.open.clear();
    world.apply(Event::Resumed(BTreeMap::new()));
    assert_eq!(world.failure().1, "undone");
}

const LINE: &str = "
baton: 1
graph: line
input: {}
output: { n: 10 / state.n, log: state.log }
state: { n: integer, log: { type: array, reduce: append } }
start: [first, side]
nodes:
  first: { tool: { name: t.echo, args: {} }, save: { log: \"'first'\", n: output.n }, then: [tell, later, local] }
  later: { tool: { name: t.echo, args: {} }, then: end }
  tell: { notify: { name: t.echo, args: {} }, then: end }
  local: { save: { log: \"'local'\" }, then: check }
  check: { then: [ { when: 'state.n == 7', fail: seven }, { to: end } ] }
  side: { tool: { name: t.echo, args: {} }, then: end }
";

#[test]
fn a_failure_is_retried_from_where_it_happened() {
    let mut world = World::started(LINE, json!({}));
    let groups: Vec<NewGroup> = world.open.values().cloned().collect();
    world.close_with("first#1", vec![super::world::failed("boom")]);
    assert_eq!(world.failure().1, "boom");
    world.retried(groups);
    world.close_with("first#1", vec![super::world::ok(json!({"n": 2}))]);
    world.close(&["side#1"]);
    world.close(&["later#1"]);
    assert_eq!(world.output(), json!({"n": 5, "log": ["first", "local"]}));
}

#[test]
fn a_failure_behind_supersteps_of_the_same_call_is_retried_behind_them() {
    let mut world = World::started(LINE, json!({}));
    let groups: Vec<NewGroup> = world.open.values().cloned().collect();
    let first = vec![super::world::ok(json!({"n": 7}))];
    let side_group = vec![world.open[&"side#1".parse().unwrap()].clone()];
    world.close_with("first#1", first.clone());
    assert_eq!(world.failure(), ("check".to_owned(), "failed".to_owned()));
    assert_eq!(world.state.values["log"].as_array().map(Vec::len), Some(2));
    world.retried(groups);
    world.close_with("first#1", first);
    assert_eq!(world.detached.len(), 1, "nor is anybody told again");
    assert_eq!(world.failure().0, "check", "what was folded is not folded again, what failed is tried again");
    assert_eq!(world.state.values["log"].as_array().map(Vec::len), Some(2));

    let writes = BTreeMap::from([("n".to_owned(), json!(2))]);
    let (state, checkpoint, _) = edit(&world.graph, world.state.clone(), &writes, NOW).unwrap();
    world.history.push(checkpoint);
    world.state = state;
    world.retried(side_group);
    world.close(&["side#1"]);
    assert_eq!(world.waiting(), ["later#1"], "what the failing call never opened is opened now");
    world.close(&["later#1"]);
    assert_eq!(world.output(), json!({"n": 5, "log": ["first", "local"]}));
}

#[test]
fn an_output_that_failed_is_retried_too() {
    let mut world = World::started(LINE, json!({}));
    let first = vec![super::world::ok(json!({"n": 0}))];
    world.close(&["side#1"]);
    world.close_with("first#1", first);
    let last = vec![world.open[&"later#1".parse().unwrap()].clone()];
    world.close(&["later#1"]);
    assert_eq!(world.failure().1, "output_failed");
    world.retried(last);
    world.close(&["later#1"]);
    assert_eq!(world.failure().1, "output_failed");
    assert_eq!(world.state.values["log"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_was_dropped_by_a_set_back_is_written_over_by_nobody() {
    let mut world = World::started(SLOW, json!({}));
    world.close(&["quick#1"]);
    let back = world.state.head;
    world.close(&["quick#2"]);
    world.close(&["quick#3"]);
    let (dropped, pieces) = (world.history.clone(), world.pieces.clone());
    let used = world.state.head;
    assert!(used > back.next());

    let (mut state, bases) = at(&world, back);
    state.used = used;
    world.state = state;
    world.open.clear();
    world.apply(Event::Resumed(bases));
    world.close(&["quick#2"]);

    assert_eq!(world.state.head, used.next(), "states that were dropped keep their numbers");
    let log = world.state.segments["log"];
    assert_eq!((log.base, log.end), (used.0, used.0 + 1), "the list begins anew behind all pieces");
    for (key, piece) in &pieces {
        assert_eq!(world.pieces.get(key), Some(piece), "{key:?} is as it was");
    }
    for checkpoint in &dropped {
        assert!(world.history.contains(checkpoint), "checkpoint {} is as it was", checkpoint.seq);
    }
    let again = world.load(world.state.head);
    assert_eq!(*again.values["log"], json!([0, 1]), "what a loader reads is the list");
}
