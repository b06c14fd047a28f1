//! Whether runs under way fit another version of their graph, and how they go on there.

use baton_engine::graph::Graph;
use baton_engine::spec::{Source, parse};
use baton_engine::step::{Misfit, fits};
use serde_json::{Value, json};

use super::world::{World, ok};

const TRIP: &str = "
baton: 1
graph: trip
input: { to: string }
output: { log: state.log }
state: { log: { type: array, reduce: append }, cost: integer, note: string }
start: book
nodes:
  book: { tool: { name: t.echo, args: { v: 1 } }, undo: { tool: { name: t.undo, args: { v: 1 } } }, save: { log: '\"booked\"', cost: '7' }, then: [slow, ask, hear, call, each] }
  slow: { tool: { name: t.echo, args: { v: 2 } }, save: { log: '\"slow\"' }, then: meet }
  ask: { ask: { title: ok?, edit: input.to }, then: meet }
  hear: { wait: { signal: paid }, then: meet }
  call: { graph: { name: part, args: { n: 1 } }, then: meet }
  each: { for_each: '[1, 2]', tool: { name: t.echo, args: { v: '{{ item }}' } }, then: meet }
  meet: { join: all, then: end }
graphs:
  part: { input: { n: integer }, output: { n: input.n }, start: only, nodes: { only: { tool: { name: t.echo, args: {} }, then: end } } }
";

fn version(text: &str) -> Graph {
    parse(&Source::new("graph.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

/// A run that has booked, and one branch of which waits at the join.
fn under_way() -> World {
    let mut world = World::started(TRIP, json!({"to": "Rome"}));
    world.close(&["book#1"]);
    world.close(&["slow#1"]);
    assert_eq!(world.waiting(), ["ask#1", "call#1", "each#1", "hear#1"]);
    world
}

/// What does not fit once `old` is `new` in the text of the graph.
#[track_caller]
fn misfits(old: &str, new: &str) -> Vec<Misfit> {
    assert!(TRIP.contains(old), "{old}");
    let world = under_way();
    fits(&world.graph, &version(&TRIP.replace(old, new)), &world.state)
}

#[track_caller]
fn refused(old: &str, new: &str, code: &str, place: (&str, &str)) {
    let misfits = misfits(old, new);
    let [misfit] = misfits.as_slice() else { panic!("{misfits:#?}") };
    assert_eq!((misfit.code, misfit.node.as_str(), misfit.channel.as_str()), (code, place.0, place.1), "{misfit:?}");
    assert!(!misfit.cause.is_empty() && !misfit.cure.is_empty());
}

#[test]
fn what_lies_ahead_may_differ_in_any_way() {
    assert_eq!(misfits("meet: { join: all, then: end }", "meet: { join: all, then: late }\n  late: { then: end }"), []);
    assert_eq!(misfits("title: ok?", "title: 'fine by you?'"), []);
    assert_eq!(misfits("note: string", "note: integer, more: string"), [], "it holds nothing");
    assert_eq!(misfits("args: { v: 2 }", "args: { v: 3 }"), [], "that is done");
    assert_eq!(misfits("reduce: append }", "reduce: append }, extra: { type: array, reduce: union }"), []);
}

#[test]
fn a_node_that_is_open_must_be_there() {
    let gone = "  ask: { ask: { title: ok?, edit: input.to }, then: meet }\n";
    let world = under_way();
    let without = TRIP.replace(gone, "").replace("[slow, ask,", "[slow,");
    let misfits = fits(&world.graph, &version(&without), &world.state);
    assert_eq!(misfits.len(), 1, "{misfits:?}");
    assert_eq!((misfits[0].code, misfits[0].node.as_str()), ("node_gone", "ask"));
    assert!(misfits[0].cause.contains("ask#1"), "{misfits:?}");
}

#[test]
fn what_is_open_must_do_the_same() {
    let changed = |old, new, node| refused(old, new, "work_changed", (node, ""));
    changed("ask: { title: ok?, edit: input.to }", "ask: { title: ok?, fields: { ok: boolean } }", "ask");
    changed("ask: { ask: { title: ok?, edit: input.to }", "ask: { tool: { name: t.echo, args: {} }", "ask");
    changed("wait: { signal: paid }", "wait: { signal: sent }", "hear");
    changed("wait: { signal: paid }", "wait: { for: 1h }", "hear");
    changed("output: { n: input.n }", "output: { n: string(input.n) }", "call");
    changed("for_each: '[1, 2]', tool: { name: t.echo", "for_each: '[1, 2]', tool: { name: t.odd", "each");
    changed("for_each: '[1, 2]'", "for_each: '[1, 2, 3]'", "each");
    changed(
        "for_each: '[1, 2]', tool: { name: t.echo, args: { v: '{{ item }}' } }",
        "tool: { name: t.echo, args: {} }",
        "each",
    );
}

#[test]
fn a_call_that_waits_for_approval_must_go_on_asking() {
    let text = "
baton: 1
graph: pay
start: pay
nodes:
  pay: { tool: { name: t.echo, args: { sum: 200 } }, approve: { when: args.sum > 100 }, then: end }
";
    let world = World::started(text, json!({}));
    assert_eq!(world.waiting(), ["pay/approve#1"]);
    assert_eq!(fits(&world.graph, &version(&text.replace("100", "150")), &world.state), []);
    let unasked = version(&text.replace("approve: { when: args.sum > 100 }, ", ""));
    let misfits = fits(&world.graph, &unasked, &world.state);
    assert_eq!((misfits.len(), misfits[0].code, misfits[0].node.as_str()), (1, "work_changed", "pay"));
}

#[test]
fn a_join_that_somebody_waits_at_must_stay_one() {
    refused("join: all", "join: any", "join_changed", ("meet", ""));
}

#[test]
fn what_channels_hold_must_mean_the_same() {
    let world = under_way();
    let misfits = |channel: &str, save: &str| {
        let text = TRIP.replace("cost: integer, ", channel).replace(", cost: '7'", save);
        fits(&world.graph, &version(&text), &world.state)
    };
    let refused = |channel, save, code| {
        let misfits = misfits(channel, save);
        let [misfit] = misfits.as_slice() else { panic!("{misfits:#?}") };
        assert_eq!((misfit.code, misfit.node.as_str(), misfit.channel.as_str()), (code, "", "cost"), "{misfit:?}");
    };
    refused("cost: string, ", "", "channel_changed");
    refused("cost: number, ", ", cost: '7.0'", "channel_changed");
    refused("cost: { type: integer, reduce: sum }, ", ", cost: '7'", "channel_changed");
    refused("", "", "channel_gone");
    assert_eq!(misfits("cost: { type: integer, reduce: last }, ", ", cost: '7'"), []);
}

#[test]
fn the_input_a_run_was_given_must_be_what_the_version_takes() {
    refused("to: string }", "to: string, from: string }", "input_changed", ("", ""));
    refused("to: string }", "to: string, from: { type: string, default: here } }", "input_changed", ("", ""));
}

#[test]
fn what_is_owed_must_be_takeable_back() {
    refused(" undo: { tool: { name: t.undo, args: { v: 1 } } },", "", "undo_changed", ("book", ""));
    refused("undo: { tool: { name: t.undo", "undo: { tool: { name: t.echo", "undo_changed", ("book", ""));
}

#[test]
fn before_the_first_step_only_the_input_counts() {
    let world = World::new(TRIP, json!({"to": "Rome"}));
    assert_eq!(fits(&world.graph, &version(&TRIP.replace("hear", "listen")), &world.state), []);
    let other = version(&TRIP.replace("to: string }", "to: integer }"));
    assert_eq!(fits(&world.graph, &other, &world.state).len(), 1);
}

const LOOP: &str = "
baton: 1
graph: loop
output: { said: state.said }
state: { said: { type: array, reduce: append } }
start: a
nodes:
  a: { tool: { name: t.echo, args: { v: a } }, save: { said: '\"a\"' }, then: m }
  m: { ask: { title: again?, fields: { again: boolean } }, then: [ { when: output.again, to: a }, { to: end } ] }
";

#[test]
fn activations_go_on_being_counted_by_node_in_another_version() {
    let mut world = World::started(LOOP, json!({}));
    world.close(&["a#1"]);
    assert_eq!(world.waiting(), ["m#1"]);
    let more = "  b: { tool: { name: t.echo, args: { v: b } }, save: { said: '\"b\"' }, then: m }\n  m:";
    let new = version(&LOOP.replace("then: m }\n  m:", &format!("then: b }}\n{more}")));
    let old = std::mem::replace(&mut world.graph, new);
    assert_eq!(fits(&old, &world.graph, &world.state), []);
    world.state.leave(&old);
    let answer = |again: bool| vec![ok(json!({"again": again}))];
    world.close_with("m#1", answer(true));
    assert_eq!(world.waiting(), ["a#2"], "no name is given twice");
    world.close(&["a#2"]);
    assert_eq!(world.waiting(), ["b#1"], "no name is left out");
    world.close(&["b#1"]);
    assert_eq!(world.waiting(), ["m#2"]);
    world.close_with("m#2", answer(false));
    assert_eq!(world.output(), json!({"said": ["a", "a", "b"]}) as Value);
}
