//! What is opened when a branch arrives at a node.

use baton_common::ErrorClass;
use baton_common::commit::{Input, QuestionForm};
use baton_common::records::TaskKind;
use baton_common::tool::Effect;
use serde_json::json;

use super::world::{NOW, World};

#[test]
fn a_group_carries_the_policy_of_its_node() {
    let text = "
baton: 1
graph: policy
input: { files: array }
output: {}
start: each
nodes:
  each:
    for_each: { in: input.files, as: file }
    max_parallel: 3
    on_item_error: { quorum: 2 }
    tool: { name: t.echo, args: { f: '{{ file }}' }, effect: idempotent }
    retry: { attempts: 4, backoff: 2s..1m, errors: [transient, timeout] }
    timeout: 5s
    deadline: 1m
    priority: high
    then: end
";
    let world = World::started(text, json!({"files": ["a", "b", "c"]}));
    let info = &world.open.values().next().unwrap().info;
    assert_eq!((info.count, info.window, info.need_ok, info.max_failed), (3, 3, 2, 1));
    assert_eq!((info.kind, info.detached, info.effect), (TaskKind::Job, false, Effect::Idempotent));
    assert_eq!((info.queue.as_str(), info.tool.as_str(), info.tool_major), ("io.high", "t.echo", 1));
    assert_eq!((info.policy.attempts_max, info.policy.backoff_min_ms, info.policy.backoff_max_ms), (4, 2_000, 60_000));
    assert_eq!(info.policy.retry_on, [ErrorClass::Transient, ErrorClass::Timeout]);
    assert_eq!((info.policy.timeout_ms, info.deadline), (5_000, Some(NOW.plus_ms(60_000))));
    assert_eq!(info.base, world.state.head);
}

const LARGE: &str = "
baton: 1
graph: large
input: { text: string }
output: {}
state: { text: string }
start: set
nodes:
  set: { save: { text: input.text }, then: each }
  each: { for_each: '[1, 2]', tool: { name: t.echo, args: { n: '{{ item }}', text: '{{ state.text }}' } }, then: end }
";

#[test]
fn a_small_input_is_kept_and_a_large_one_is_rendered_at_the_claim() {
    for (length, is_kept) in [(10, true), (5_000, false)] {
        let world = World::started(LARGE, json!({"text": "x".repeat(length)}));
        let group = world.open.values().next().unwrap();
        let input: Input = serde_json::from_str(&group.tasks[1].body).unwrap();
        assert_eq!(matches!(input, Input::Args(_)), is_kept);
        assert_eq!(world.args(group, 1), json!({"n": 2, "text": "x".repeat(length)}));
    }
}

#[test]
fn digests_name_the_input_and_what_it_was_made_from() {
    let digest = |text: &str, input| {
        let world = World::started(text, input);
        let group = world.open.values().next().unwrap();
        [group.tasks[0].digest, group.tasks[1].digest]
    };
    let first = digest(LARGE, json!({"text": "a"}));
    assert_ne!(first[0], first[1]);
    assert_eq!(first, digest(LARGE, json!({"text": "a"})));
    assert_ne!(first, digest(LARGE, json!({"text": "b"})));
}

#[test]
fn a_question_shows_what_it_asks_about() {
    let text = "
baton: 1
graph: ask
input: { title: string }
output: { text: state.text, by: state.by }
state: { text: { type: string, default: draft }, by: string }
start: approve
nodes:
  approve:
    ask: { title: 'Publish {{ input.title }}?', show: [input.title], edit: state.text, allow: [approve, edit, reject], expires: 1h }
    save: { text: output.value, by: output.by }
    then: [ { when: \"output.action != 'reject'\", to: end }, { fail: 'rejected: {{ output.comment }}' } ]
    on_error: [ { when: \"error.code == 'expired'\", to: end } ]
";
    let world = || World::started(text, json!({"title": "it"}));
    let mut one = world();
    let question = one.question("approve#1");
    assert_eq!(question.title, "Publish it?");
    assert_eq!(question.show, [("input.title".to_owned(), json!("it"))]);
    let QuestionForm::Approval { original, allow, .. } = question.form else { panic!("an approval") };
    assert_eq!((original, allow.len()), (json!("draft"), 3));
    let group = one.open.values().next().unwrap();
    assert_eq!((group.info.kind, group.tasks[0].after_ms), (TaskKind::Ask, Some(3_600_000)));

    one.answer("approve#1", &json!({"action": "approve"}));
    assert_eq!(one.output(), json!({"text": "draft", "by": "ann"}));
    let mut one = world();
    one.answer("approve#1", &json!({"action": "edit", "value": "better"}));
    assert_eq!(one.output(), json!({"text": "better", "by": "ann"}));
    let mut one = world();
    one.answer("approve#1", &json!({"action": "reject", "comment": "no"}));
    assert_eq!(one.failure(), ("approve".to_owned(), "failed".to_owned()));
    assert_eq!(one.end.unwrap().failure.unwrap().failure.message, "rejected: no");
    let mut one = world();
    one.close_with("approve#1", vec![super::world::failed("expired")]);
    assert_eq!(one.output()["text"], "draft");
}

#[test]
fn a_notify_is_not_waited_for() {
    let text = "
baton: 1
graph: tell
input: {}
output: {}
start: tell
nodes:
  tell: { notify: { name: t.echo, args: { a: 1 } }, then: end }
";
    let world = World::started(text, json!({}));
    assert_eq!(world.output(), json!({}));
    assert_eq!(world.detached.len(), 1);
    assert!(world.detached[0].info.detached);
}

#[test]
fn arguments_that_fail_go_the_way_of_errors() {
    let text = "
baton: 1
graph: args
input: { n: integer }
output: { error: state.error }
state: { error: string }
start: call
nodes:
  call: { for_each: '[1 / input.n]', tool: { name: t.echo, args: { n: '{{ item }}' } }, then: end, on_error: note }
  note: { save: { error: \"'noted'\" }, then: end }
";
    assert_eq!(World::started(text, json!({"n": 0})).output(), json!({"error": "noted"}));
    let unhandled =
        text.replace(", on_error: note", "").replace("  note: { save: { error: \"'noted'\" }, then: end }", "");
    assert_eq!(World::started(&unhandled, json!({"n": 0})).failure().0, "call");
}

#[test]
fn defaults_of_the_input_are_filled_in() {
    let text = "
baton: 1
graph: defaults
input: { word: string, times: { type: integer, default: 3 } }
output: { word: input.word, times: input.times }
start: go
nodes:
  go: { then: end }
";
    assert_eq!(World::started(text, json!({"word": "hi"})).output(), json!({"word": "hi", "times": 3}));
}

#[test]
fn a_tool_nobody_announced_fails_its_node() {
    let text = "
baton: 1
graph: unknown
input: {}
output: {}
start: call
nodes:
  call: { tool: { name: t.unknown, args: {} }, then: end }
";
    assert_eq!(World::started(text, json!({})).failure(), ("call".to_owned(), "unknown_tool".to_owned()));
}
