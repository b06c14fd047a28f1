//! Graphs that call graphs, as runs of their own and within the call.

use baton_common::records::{RunInfo, RunStatus, TaskKind};
use baton_common::{RunId, ThreadId};
use baton_engine::step::{Event, child_outcome, render_input};
use serde_json::{Value, json};

use super::world::{World, failed};

fn caller(work: &str) -> String {
    format!(
        "
baton: 1
graph: caller
input: {{ list: array }}
output: {{ got: state.got, errors: state.errors }}
state: {{ got: array, errors: array }}
start: each
graphs:
  double:
    input: {{ n: integer, by: {{ type: integer, default: 2 }} }}
    output: {{ n: state.n, of: run.graph, id: run.id }}
    state: {{ n: integer }}
    limits: {{ duration: 1h, steps: 10 }}
    start: work
    nodes:
      work: {work}
      mend: {{ save: {{ n: '0 - input.n' }}, then: end }}
nodes:
  each:
    for_each: {{ in: input.list, as: one }}
    on_item_error: collect
    max_parallel: 4
    graph: {{ name: double, args: {{ n: '{{{{ one }}}}' }} }}
    save: {{ got: output, errors: errors }}
    then: end
"
    )
}

const LOCAL: &str = "{ save: { n: 'input.n * input.by / (input.n == 3 ? 0 : 1)' }, then: [ { when: input.n == 4, to: mend }, { when: input.n == 5, fail: 'no {{ input.n }}' }, { to: end } ] }";
const JOB: &str = "{ tool: { name: t.echo, args: { } }, save: { n: 'input.n * input.by / (input.n == 3 ? 0 : 1)' }, then: [ { when: input.n == 4, to: mend }, { when: input.n == 5, fail: 'no {{ input.n }}' }, { to: end } ] }";

fn finished(mut world: World) -> World {
    while world.end.is_none() {
        let children: Vec<World> = (0..world.open.values().next().unwrap().tasks.len())
            .map(|index| {
                let mut child = world.child("each#1", index);
                child.apply(baton_engine::step::Event::Started);
                if child.end.is_none() {
                    child.close(&["work#1"]);
                }
                child
            })
            .collect();
        let closed = world.closed_child(&"each#1".parse().unwrap(), &children.iter().collect::<Vec<_>>());
        world.apply(baton_engine::step::Event::Closed(vec![closed]));
    }
    world
}

#[test]
fn a_child_is_a_run_with_all_it_takes_over() {
    let world = World::started(&caller(JOB), json!({"list": [1, 2]}));
    let group = world.open.values().next().unwrap();
    assert_eq!((group.info.kind, group.info.window, group.info.count), (TaskKind::Child, 4, 2));
    let info: RunInfo = serde_json::from_str(&group.tasks[1].body).unwrap();
    let parent = info.parent.clone().unwrap();
    assert_eq!((parent.job.to_string(), parent.root), (format!("{}/0/each#1/1", world.info.id), world.info.id));
    assert_eq!((parent.root_thread, info.parallel), (world.info.thread.clone(), Some(128)));
    assert_eq!((info.id, info.thread.thread), (RunId::for_child(&parent.job), ThreadId::beside(info.id)));
    assert_eq!((info.input.as_str(), info.deadline), (r#"{"by":2,"n":2}"#, Some(super::world::NOW.plus_ms(3_600_000))));
    assert_eq!((info.graph, info.graph_name.as_str()), (world.graph.children["double"].hash, "double"));
}

#[test]
fn nobody_can_tell_whether_a_child_was_computed_within_the_call() {
    let list = json!({"list": [1, 2, 3, 4, 5, "x"]});
    let local = World::started(&caller(LOCAL), list.clone());
    let far = World::started(&caller(JOB), list);
    assert!(local.open.is_empty() && far.open.len() == 1);
    let (local, far) = (finished(local), finished(far));
    assert_eq!(local.output(), far.output());
    let n = |index: usize| local.output()["got"][index]["n"].clone();
    assert_eq!((n(0), n(1), n(3)), (json!(2), json!(4), json!(-4)));
    let codes: Vec<(Value, Value)> = local.output()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["index"].clone(), error["error"]["code"].clone()))
        .collect();
    let expected = [(2, "expression_failed"), (4, "failed"), (5, "invalid_input")];
    assert_eq!(codes, expected.map(|(index, code)| (json!(index), json!(code))));
    assert_eq!(local.output()["errors"][1]["error"]["message"], "work: no 5");
}

#[test]
fn the_limits_of_a_child_are_its_own() {
    let endless = "{ save: { n: '(state.n == null ? 0 : state.n) + 1' }, then: [ { when: state.n < 99, to: work }, { to: mend } ] }";
    let world = World::started(&caller(endless), json!({"list": [1]}));
    assert_eq!(world.output()["errors"][0]["error"]["code"], "limit_exceeded");
    assert_eq!(world.state.control.steps, 1);
}

#[test]
fn a_childs_error_is_one_of_the_node_that_called_it() {
    let text = caller(JOB).replace("    on_item_error: collect\n", "");
    let mut world = World::started(&text, json!({"list": [1, 2]}));
    let mut children = [world.child("each#1", 0), world.child("each#1", 1)];
    children.iter_mut().for_each(|child| child.apply(baton_engine::step::Event::Started));
    children[1].close_with("work#1", vec![failed("boom")]);
    let outcome = child_outcome(children[1].end.as_ref().unwrap());
    world.close_with("each#1", vec![None, Some(outcome)]);
    assert_eq!(world.failure(), ("each".to_owned(), "boom".to_owned()));
    let message = world.end.as_ref().unwrap().failure.as_ref().unwrap().failure.message.clone();
    assert_eq!(message, "item 1: work: it failed");
    assert_eq!(world.end.unwrap().status, RunStatus::Failed);
}

/// The steps of a plan, each done by a graph that is told what those it needs kept.
const STEPS: &str = "
baton: 1
graph: plan
input: { steps: array }
output: { got: state.got, errors: state.errors }
state: { got: object, errors: array, by: { type: string, default: me } }
start: each
graphs:
  step:
    input: { of: object, by: string, n: { type: integer, default: 7 } }
    output: { text: state.text }
    state: { text: string }
    start: work
    nodes:
      work: { tool: { name: t.echo, args: { } }, save: { text: \"input.by + string(input.n) + ('a' in input.of ? input.of.a : '')\" }, then: end }
nodes:
  each:
    for_each: { in: input.steps, as: step, by: step.id, after: step.needs, keep: output.text }
    on_item_error: collect
    graph: { name: step, args: { of: '{{ deps }}', by: '{{ step.by | default(state.by) }}' } }
    save: { got: output, errors: errors }
    then: end
";

#[test]
fn a_child_is_told_what_those_it_needs_kept() {
    let step = |id: &str, needs: &[&str]| json!({"id": id, "needs": needs});
    let wrong = json!({"id": "bad", "needs": ["a"], "by": 3});
    let steps = json!([{"id": "none", "needs": [], "by": 3}, step("b", &["a"]), step("a", &[]), wrong]);
    let mut world = World::started(STEPS, json!({"steps": steps}));
    let group = world.open.values().next().unwrap().clone();
    // The first has failed by now, so it has no task and the others' numbers are lower.
    let needs: Vec<_> = group.tasks.iter().map(|task| task.needs.clone()).collect();
    assert_eq!(needs, [vec![1], vec![], vec![1]]);
    let run = |mut child: World, event: Event| {
        child.apply(event);
        if child.end.is_none() {
            child.close(&["work#1"]);
        }
        child
    };
    let first = run(world.child("each#1", 1), Event::Started);
    let outcomes = [(1, child_outcome(first.end.as_ref().unwrap()))].into_iter().collect();
    let begun = |index: u32| {
        let info: RunInfo = serde_json::from_str(&group.tasks[index as usize].body).unwrap();
        let needs = info.parent.unwrap().needs.unwrap();
        assert_eq!((info.input.as_str(), needs.get("a")), ("null", Some(&1)));
        Event::Begun(render_input(&world.graph, &world.load(group.info.base), &group.info, index, (&needs, &outcomes)))
    };
    let (second, third) = (run(world.child("each#1", 0), begun(0)), run(world.child("each#1", 2), begun(2)));
    // Its record does not hold the input, so its checkpoints do.
    assert_eq!(*second.load(second.state.head).input, json!({"of": {"a": "me7"}, "by": "me", "n": 7}));
    assert_eq!(third.failure(), (String::new(), "invalid_input".to_owned()));
    let closed = world.closed_child(&"each#1".parse().unwrap(), &[&second, &first, &third]);
    world.apply(Event::Closed(vec![closed]));
    let output = world.output();
    assert_eq!(output["got"], json!({"none": null, "a": "me7", "b": "me7me7", "bad": null}));
    let failed: Vec<_> = output["errors"].as_array().unwrap().iter().map(|one| one["error"]["code"].clone()).collect();
    assert_eq!(failed, ["invalid_input", "invalid_input"]);
}

#[test]
fn nested_maps_share_one_cap() {
    let text = "
baton: 1
graph: outer
input: { rows: array }
output: {}
start: rows
graphs:
  row:
    input: { cells: array }
    output: {}
    start: cells
    nodes:
      cells: { for_each: input.cells, max_parallel: 1000, tool: { name: t.echo, args: { c: '{{ item }}' } }, then: end }
nodes:
  rows: { for_each: input.rows, max_parallel: 50, graph: { name: row, args: { cells: '{{ item }}' } }, then: end }
";
    for (rows, share) in [(1, 256), (3, 85), (400, 5)] {
        let world = World::started(text, json!({"rows": vec![json!([1, 2]); rows]}));
        assert_eq!(world.open.values().next().unwrap().info.window, 50);
        let mut child = world.child("rows#1", 0);
        child.apply(baton_engine::step::Event::Started);
        assert_eq!(child.open.values().next().unwrap().info.window, share, "{rows}");
    }
}

#[test]
fn one_call_does_not_run_on_for_ever() {
    let text = "
baton: 1
graph: long
input: {}
output: { n: state.n }
state: { n: { type: integer, reduce: sum, default: 0 } }
limits: { steps: 5000 }
start: add
nodes:
  add: { save: { n: '1' }, then: [ { when: state.n < 3000, to: add }, { to: end } ] }
";
    let mut world = World::started(text, json!({}));
    let mut pauses = 0;
    while world.end.is_none() {
        pauses += 1;
        assert!(world.last.as_ref().unwrap().effects.checkpoints.len() <= 1_025);
        let (id, group) = world.open.iter().next().unwrap();
        assert_eq!((group.info.kind, group.tasks[0].after_ms), (TaskKind::Wait, Some(0)));
        let id = id.to_string();
        world.close_with(&id, vec![super::world::ok(Value::Null)]);
    }
    assert_eq!((world.output(), pauses), (json!({"n": 3000}), 2));
}
