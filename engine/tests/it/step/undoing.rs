//! What a run did is taken back when it fails or is cancelled.

use baton_common::RunId;
use baton_common::records::RunStatus;
use baton_engine::step::{Event, secrets_of};
use serde_json::{Value, json};

use super::world::{World, failed, ok};

const BOOK: &str = "
baton: 1
graph: book
input: { fails: { type: string, default: '' } }
output: {}
state: { n: { type: integer, default: 1 } }
start: flight
nodes:
  flight: { tool: { name: t.echo, args: { v: flight } }, undo: { tool: { name: t.undo, args: { drop: '{{ output.v }}', n: '{{ state.n }}' } } }, save: { n: '2' }, then: rooms }
  rooms:
    for_each: { in: '[1, 2, 3]', as: room, by: 'string(room)', after: 'room == 1 ? [\"2\"] : []', keep: 'output.v' }
    tool: { name: t.echo, args: { v: '{{ room }}' } }
    undo: { tool: { name: t.undo, args: { drop: '{{ room }}', of: '{{ output }}', deps: '{{ deps }}', n: '{{ state.n }}' } } }
    retry: { attempts: 4 }
    then: [car, pay]
  car: { tool: { name: t.echo, args: { v: car } }, undo: { tool: { name: t.undo, args: { drop: '{{ output.v }}' } } }, then: end }
  pay: { tool: { name: t.echo, args: { v: pay } }, then: [ { when: 'input.fails != \"\"', fail: '{{ input.fails }}' }, { to: end } ] }
";

fn booked(fails: &str) -> World {
    let mut world = World::started(BOOK, json!({"fails": fails}));
    world.close(&["flight#1"]);
    world.close(&["rooms#1"]);
    world
}

fn dropped(undone: &[Value]) -> Vec<Value> {
    undone.iter().map(|args| args["drop"].clone()).collect()
}

#[test]
fn successes_are_taken_back_latest_first_dependents_before_what_they_need() {
    let mut world = booked("no money");
    world.close(&["car#1"]);
    world.close(&["pay#1"]);
    assert!(world.end.is_none());
    let group = world.open.values().next().unwrap().clone();
    assert_eq!((group.info.id.to_string(), group.info.window), ("car/undo#1".to_owned(), 1));
    assert_eq!((group.info.tool.as_str(), group.info.undo), ("t.undo", true));
    let undone = world.run_undo();
    assert_eq!(dropped(&undone), [json!("car"), json!(3), json!(1), json!(2), json!("flight")]);
    assert_eq!(undone[1], json!({"drop": 3, "of": {"v": 3}, "deps": {}, "n": 2}), "it sees the output before `keep`");
    assert_eq!(undone[2]["deps"], json!({"2": 2}), "and what others kept");
    assert_eq!(undone[4]["n"], 1, "its arguments were fixed at the success");
    assert_eq!(world.failure(), ("pay".to_owned(), "failed".to_owned()));
    assert_eq!(world.end.unwrap().failure.unwrap().failure.message, "no money");
    assert!(world.history.iter().all(|one| one.writes.keys().all(|name| &**name == "n")), "they are stored once");
    assert_eq!(world.pieces.keys().filter(|(channel, _)| channel == "~owed").count(), 3);
}

#[test]
fn what_succeeds_too_late_is_taken_back_before_all_others() {
    let mut world = booked("no money");
    world.close(&["pay#1"]);
    assert_eq!(world.waiting(), ["car#1"], "claimed jobs end first");
    assert!(world.last.as_ref().unwrap().effects.undoing && world.last.as_ref().unwrap().effects.cancelled.is_empty());
    world.close(&["car#1"]);
    assert_eq!(dropped(&world.run_undo())[..2], [json!("car"), json!(3)]);
    let mut world = booked("no money");
    world.close(&["pay#1"]);
    world.close_rest(Vec::new());
    assert_eq!(dropped(&world.run_undo())[0], json!(3), "what was cancelled is not taken back");
    let mut world = booked("no money");
    world.close(&["car#1", "pay#1"]);
    assert_eq!(dropped(&world.run_undo())[0], json!("car"), "nor is what failed beside it lost");
}

#[test]
fn a_cancelled_run_takes_back_what_it_did() {
    let mut world = booked("");
    let car = world.run_tasks(&"car#1".parse().unwrap());
    let pay = world.closed(&"pay#1".parse().unwrap(), vec![None]);
    world.apply(Event::Cancelled(vec![car, pay]));
    assert_eq!(dropped(&world.run_undo()), [json!("car"), json!(3), json!(1), json!(2), json!("flight")]);
    let end = world.end.unwrap();
    assert_eq!((end.status, end.failure), (RunStatus::Cancelled, None));
}

#[test]
fn a_compensation_that_fails_is_noted_and_the_rest_goes_on() {
    let mut world = booked("no money");
    world.close(&["car#1", "pay#1"]);
    assert_eq!(world.open.values().next().unwrap().info.policy.attempts_max, 1);
    world.close_with("car/undo#1", vec![failed("gone")]);
    assert_eq!(world.open.values().next().unwrap().info.policy.attempts_max, 4, "by its node's policy");
    assert_eq!(world.run_undo().len(), 4);
    let failure = world.end.unwrap().failure.unwrap().failure;
    assert_eq!(failure.code, "failed");
    assert_eq!(failure.message, "no money; undo of car failed: gone: it failed");
}

#[test]
fn a_handled_failure_takes_nothing_back() {
    let text = BOOK.replace("then: [ { when: 'input.fails", "on_error: end, then: [ { when: 'input.fails");
    let mut world = World::started(&text, json!({}));
    world.close(&["flight#1"]);
    world.close(&["rooms#1"]);
    world.close(&["car#1"]);
    world.close_with("pay#1", vec![failed("x")]);
    assert_eq!(world.output(), json!({}));
    assert_eq!(world.end.unwrap().owed, None, "nobody calls it");
}

#[test]
fn a_map_that_fails_takes_its_own_successes_back() {
    let mut world = World::started(BOOK, json!({}));
    world.close(&["flight#1"]);
    world.close_with("rooms#1", vec![None, ok(json!({"v": 2})), failed("full")]);
    assert_eq!(dropped(&world.run_undo()), [json!(2), json!("flight")]);
    assert_eq!(world.failure(), ("rooms".to_owned(), "full".to_owned()));
}

#[test]
fn time_that_is_over_takes_back_too() {
    let mut world = booked("");
    world.apply(Event::DurationOver);
    let before = world.state.clone();
    world.apply(Event::DurationOver);
    assert_eq!(world.state, before, "it is undoing already");
    world.close_rest(Vec::new());
    assert_eq!(world.run_undo().len(), 4);
    assert_eq!(world.failure().1, "limit_exceeded");
}

#[test]
fn nothing_is_waited_for_where_nothing_can_be_owed() {
    let mut world = World::started(BOOK, json!({}));
    world.close_with("flight#1", vec![failed("x")]);
    assert_eq!(world.failure(), ("flight".to_owned(), "x".to_owned()));
}

#[test]
fn large_arguments_are_made_again_at_the_claim() {
    let text = BOOK.replace("drop: '{{ output.v }}', n:", "drop: '{{ output.big }}', n:");
    let mut world = World::started(&text, json!({"fails": "no"}));
    world.close_with("flight#1", vec![ok(json!({"big": "x".repeat(9_000)}))]);
    world.close(&["rooms#1"]);
    world.close(&["car#1", "pay#1"]);
    let undone = world.run_undo();
    assert_eq!(undone[4]["drop"].as_str().map(str::len), Some(9_000));
}

fn caller(own: &str) -> String {
    format!(
        "
baton: 1
graph: caller
input: {{}}
output: {{}}
start: trips
graphs:
  trip:
    input: {{ n: integer }}
    output: {{ n: input.n }}
    start: go
    nodes:
      go: {{ tool: {{ name: t.echo, args: {{ v: '{{{{ input.n }}}}' }} }}, undo: {{ tool: {{ name: t.undo, args: {{ drop: '{{{{ output.v }}}}', key: '{{{{ secret.k }}}}' }} }} }}, then: more }}
      more: {{ tool: {{ name: t.echo, args: {{ v: '{{{{ input.n + 10 }}}}' }} }}, undo: {{ tool: {{ name: t.undo, args: {{ drop: '{{{{ output.v }}}}' }} }} }}, then: end }}
nodes:
  trips: {{ for_each: {{ in: '[1, 2]', as: n }}, graph: {{ name: trip, args: {{ n: '{{{{ n }}}}' }} }}, {own} then: last }}
  last: {{ tool: {{ name: t.fail, args: {{ code: boom }} }}, then: end }}
"
    )
}

fn with_children(own: &str) -> World {
    let mut world = World::started(&caller(own), json!({}));
    let children = [0, 1].map(|index| {
        let mut child = world.child("trips#1", index);
        child.apply(Event::Started);
        child.close(&["go#1"]);
        child.close(&["more#1"]);
        assert_eq!(child.output(), json!({"n": index + 1}));
        child
    });
    let closed = world.closed_child(&"trips#1".parse().unwrap(), &[&children[0], &children[1]]);
    world.apply(Event::Closed(vec![closed]));
    world.close(&["last#1"]);
    world
}

#[test]
fn a_childs_compensations_pass_to_its_caller() {
    let mut world = with_children("");
    let undone = dropped(&world.run_undo());
    assert_eq!(undone, [json!(12), json!(2), json!(11), json!(1)]);
    assert_eq!(world.failure(), ("last".to_owned(), "boom".to_owned()));
}

#[test]
fn unless_its_node_has_one_of_its_own() {
    let mut world =
        with_children("undo: { tool: { name: t.undo, args: { drop: 'trip {{ output.n }} of {{ n }}' } } },");
    assert_eq!(dropped(&world.run_undo()), [json!("trip 2 of 2"), json!("trip 1 of 1")]);
}

#[test]
fn secrets_of_a_compensation_are_found_where_its_graph_names_them() {
    let mut world = with_children("");
    world.close(&["trips/more/undo#1"]);
    let group = world.open.values().next().unwrap();
    assert_eq!(group.info.id.node.as_str(), "trips/go/undo");
    let places: Vec<_> = secrets_of(&world.graph, &group.info).into_iter().map(|at| (at.pointer, at.name)).collect();
    assert_eq!(places, [("/key".to_owned(), "k".to_owned())]);
}

#[test]
fn a_child_that_fails_compensates_itself_before_its_caller() {
    let mut world = World::started(&caller(""), json!({}));
    let mut child = world.child("trips#1", 0);
    child.apply(Event::Started);
    child.close(&["go#1"]);
    child.close_with("more#1", vec![failed("lost")]);
    assert_eq!(dropped(&child.run_undo()), [json!(1)]);
    assert_eq!(child.end.as_ref().unwrap().owed, None);
    assert_ne!(child.info.id, RunId::for_submit(&child.info.thread, None));
    let failing = world.closed_child(&"trips#1".parse().unwrap(), &[&child]);
    let mut outcomes = failing.outcomes;
    outcomes.push(None);
    world.close_with("trips#1", outcomes);
    assert_eq!(world.failure(), ("trips".to_owned(), "lost".to_owned()));
}

#[test]
fn of_late_successes_the_last_by_name_and_item_is_taken_back_first() {
    let text = "
baton: 1
graph: late
input: {}
output: {}
start: [a, b, c]
nodes:
  a: { tool: { name: t.echo, args: { v: a } }, undo: { tool: { name: t.undo, args: { drop: '{{ output.v }}' } } }, then: end }
  b: { for_each: '[1, 2]', tool: { name: t.echo, args: { v: '{{ item }}' } }, undo: { tool: { name: t.undo, args: { drop: '{{ output.v }}' } } }, then: end }
  c: { tool: { name: t.fail, args: { code: boom } }, then: end }
";
    for (first, second) in [("a#1", "b#1"), ("b#1", "a#1")] {
        let mut world = World::started(text, json!({}));
        world.close(&["c#1"]);
        world.close(&[first]);
        world.close(&[second]);
        assert_eq!(dropped(&world.run_undo()), [json!(2), json!(1), json!("a")]);
    }
}

#[test]
fn a_compensation_that_cannot_be_made_fails_its_node_and_takes_the_others_back() {
    let text = BOOK.replace("of: '{{ output }}',", "of: '{{ output.v | length }}',");
    let mut world = World::started(&text, json!({}));
    world.close(&["flight#1"]);
    world.close_with("rooms#1", vec![ok(json!({"v": "one"})), ok(json!({"v": 2})), ok(json!({"v": "three"}))]);
    assert_eq!(dropped(&world.run_undo()), [json!(3), json!(1), json!("flight")]);
    assert_eq!(world.failure(), ("rooms".to_owned(), "template_failed".to_owned()));
    assert!(world.end.unwrap().failure.unwrap().failure.message.starts_with("item 1 (2): undo: "));
}
