//! `via`: people are told of a question by a call of its own, once for each question.

use std::collections::BTreeMap;

use baton_common::commit::NewGroup;
use baton_common::records::TaskKind;
use baton_common::{GroupId, InterruptId, JobId};
use baton_engine::step::{Event, secrets_of};
use serde_json::{Value, json};

use super::world::World;

const TEXT: &str = "
baton: 1
graph: told
input: { text: string }
output: { text: state.text }
state: { text: string }
start: [approve, side]
nodes:
  approve:
    ask:
      title: 'Publish {{ input.text }}?'
      edit: input.text
      expires: 1h
      via: { name: t.echo, args: { to: ann, text: '{{ ask.title }} {{ ask.path }}', all: '{{ ask }}', token: '{{ secret.mail }}' } }
    save: { text: output.value }
    then: end
  side: { tool: { name: t.echo, args: {} }, then: end }
";

fn started() -> World {
    World::started(TEXT, json!({"text": "it"}))
}

/// The id of a question.
fn question(world: &World, group: &str, index: u32) -> String {
    let group: GroupId = group.parse().unwrap();
    InterruptId::of(&JobId { run: world.state.run, r#gen: world.state.r#gen, group, index }, 0).to_string()
}

#[test]
fn a_call_tells_where_to_answer_and_outlives_the_run() {
    let mut world = started();
    assert_eq!(world.waiting(), ["approve#1", "side#1"]);
    let told = world.detached[0].clone();
    assert_eq!((told.info.id.to_string(), told.info.kind), ("approve/via#1".to_owned(), TaskKind::Job));
    assert!(told.info.detached && told.info.deadline.is_none() && told.info.policy.attempts_max > 1);
    let args = world.args(&told, 0);
    assert_eq!((&args["to"], &args["text"]), (&json!("ann"), &json!("Publish it? approve")));
    let asked = json!({
        "id": question(&world, "approve#1", 0), "run": world.state.run.to_string(), "path": "approve",
        "title": "Publish it?", "expires_at": "1970-01-01T01:16:40Z"
    });
    assert_eq!(args["all"], asked);
    let places: Vec<_> = secrets_of(&world.graph, &told.info).into_iter().map(|at| (at.pointer, at.name)).collect();
    assert_eq!(places, [("/token".to_owned(), "mail".to_owned())]);

    world.close(&["side#1"]);
    world.answer("approve#1", &json!({"action": "approve"}));
    assert_eq!(world.output(), json!({"text": "it"}));
    assert_eq!(world.detached.len(), 1, "nobody is told again when the run goes on");
}

#[test]
fn each_question_of_a_map_is_told_of() {
    let text = "
baton: 1
graph: told
start: ask
nodes:
  ask:
    for_each: \"['a', 'b']\"
    ask: { title: 'Is {{ item }} fine?', via: { name: t.echo, args: { item: '{{ item }}', at: '{{ ask.path }}', id: '{{ ask.id }}', until: '{{ ask.expires_at }}' } } }
    then: end
";
    let world = World::started(text, json!({}));
    let told = &world.detached[0];
    let args: Vec<Value> = (0..2).map(|index| world.args(told, index)).collect();
    let expected = |index: u32, item: &str| {
        let id = question(&world, "ask#1", index);
        json!({"item": item, "at": format!("ask[{index}]"), "id": id, "until": null})
    };
    assert_eq!(args, [expected(0, "a"), expected(1, "b")]);
}

#[test]
fn a_question_that_is_opened_again_is_told_of_where_its_id_is_new() {
    let mut world = started();
    let groups: Vec<NewGroup> = world.open.values().cloned().collect();
    let bases = |world: &World| world.state.bases().into_iter().map(|seq| (seq, world.load(seq).into())).collect();
    world.open.clear();
    let same: BTreeMap<_, _> = bases(&world);
    world.apply(Event::Resumed(same));
    assert_eq!((world.waiting().len(), world.detached.len()), (2, 1), "it has the id it had");

    world.retried(groups);
    world.open.clear();
    let bases = bases(&world);
    world.apply(Event::Resumed(bases));
    assert_eq!(world.detached.len(), 2);
    let told = &world.detached[1];
    assert_eq!(told.info.id.to_string(), "approve/via-1#1", "the first may be under way");
    assert_eq!(world.args(told, 0)["all"]["id"], json!(question(&world, "approve#1", 0)));
    assert_eq!(secrets_of(&world.graph, &told.info).len(), 1);
}

#[test]
fn nobody_is_told_of_a_question_that_never_opens() {
    let text = TEXT.replace(
        "  side: { tool: { name: t.echo, args: {} }, then: end }",
        "  side: { then: late }\n  late: { then: [ { when: \"input.text == 'it'\", fail: never }, { to: end } ] }",
    );
    let world = World::started(&text, json!({"text": "it"}));
    assert_eq!(world.failure().0, "late");
    assert_eq!(world.detached.len(), 0);
}

#[test]
fn a_call_that_cannot_be_made_fails_the_question() {
    let text = TEXT.replace("name: t.echo, args: { to: ann", "name: t.gone, args: { to: ann");
    assert_eq!(
        World::started(&text, json!({"text": "it"})).failure(),
        ("approve".to_owned(), "unknown_tool".to_owned())
    );
}
