//! Waits for times and signals, and jobs that are polled.

use baton_common::Timestamp;
use baton_common::commit::{Awaited, Input};
use baton_common::records::TaskKind;
use baton_engine::step::{poll_done, poll_pause_ms, signal_matches};
use serde_json::json;

use super::world::{World, failed, ok};

const WAITS: &str = "
baton: 1
graph: waits
input: { due: string, ids: array }
output: { got: state.got, how: state.how }
state: { got: array, how: string, wanted: { type: string, default: a } }
start: pause
nodes:
  pause: { wait: { for: 30m }, then: until }
  until: { wait: { until: input.due }, then: each }
  each:
    for_each: { in: input.ids, as: id }
    on_item_error: collect
    wait: { signal: paid, match: 'event.id == id && state.wanted == \"a\"', expires: 3d }
    save: { got: 'output', how: 'size(errors) == 0 ? \"all\" : errors[0].error.code' }
    then: end
";

#[test]
fn times_and_signals_are_waited_for_by_groups_of_their_own() {
    let mut world = World::started(WAITS, json!({"due": "2026-11-21T08:00:00Z", "ids": ["x", "y"]}));
    let group = &world.open[&"pause#1".parse().unwrap()];
    assert_eq!((group.info.kind, group.info.count), (TaskKind::Wait, 1));
    assert_eq!(
        (group.tasks[0].after_ms, group.tasks[0].at, group.tasks[0].signal.clone()),
        (Some(1_800_000), None, None)
    );
    world.close_with("pause#1", vec![ok(json!(null))]);
    let task = &world.open[&"until#1".parse().unwrap()].tasks[0];
    assert_eq!((task.at, task.after_ms), (Some(Timestamp(1_795_248_000_000)), None));
    world.close_with("until#1", vec![ok(json!(null))]);
    let group = world.open[&"each#1".parse().unwrap()].clone();
    assert_eq!((group.tasks[1].signal.as_deref(), group.tasks[1].after_ms), (Some("paid"), Some(259_200_000)));
    let awaited: Awaited = serde_json::from_str(&group.tasks[1].body).unwrap();
    assert_eq!(awaited.item, Some(json!("y")));
    let matches =
        |event| signal_matches(&world.graph, &world.load(group.info.base), &group.info, awaited.item.as_ref(), &event);
    assert_eq!(matches(json!({"id": "y"})), Ok(true));
    assert_eq!(matches(json!({"id": "x"})), Ok(false));
    assert_eq!(matches(json!({})).unwrap_err().code, "expression_failed");
    world.close_with("each#1", vec![failed("expired"), ok(json!({"id": "y", "sum": 3}))]);
    assert_eq!(world.output(), json!({"got": [null, {"id": "y", "sum": 3}], "how": "expired"}));
}

#[test]
fn a_moment_that_is_none_fails_the_node() {
    let mut world = World::started(WAITS, json!({"due": "soon", "ids": []}));
    world.close_with("pause#1", vec![ok(json!(null))]);
    assert_eq!(world.failure(), ("until".to_owned(), "type_mismatch".to_owned()));
}

#[test]
fn a_job_is_polled_until_its_output_says_so_with_growing_pauses() {
    let text = "
baton: 1
graph: polls
input: { want: string }
output: { at: state.at }
state: { at: integer }
start: look
nodes:
  look:
    for_each: { in: '[1, 2]', as: n }
    tool: { name: t.echo, args: { n: '{{ n }}' } }
    poll: { until: 'output.status == input.want && output.n == n', every: 5s..1m }
    then: end
";
    let world = World::started(text, json!({"want": "done"}));
    let group = world.open.values().next().unwrap();
    let input = serde_json::from_str(&group.tasks[1].body).unwrap();
    assert!(matches!(input, Input::Recipe { item: Some(item), .. } if item == 2), "the item goes along");
    let state = world.load(group.info.base);
    let done = |output| poll_done(&world.graph, &state, &group.info, Some(&json!(2)), &output);
    assert_eq!(done(json!({"status": "done", "n": 2})), Ok(true));
    assert_eq!(done(json!({"status": "done", "n": 1})), Ok(false));
    assert_eq!(done(json!({"status": "busy", "n": 2})), Ok(false));
    assert!(done(json!({})).is_err());
    let pauses: Vec<_> = (1..7).map(|calls| poll_pause_ms(&world.graph, &group.info, calls).unwrap()).collect();
    assert_eq!(pauses, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    assert_eq!(poll_pause_ms(&world.graph, &group.info, u32::MAX), Some(60_000));
}
