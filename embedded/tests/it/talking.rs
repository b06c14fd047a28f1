//! Conversations that a run leaves to the next one, and telling people of questions.

use std::path::Path;

use baton_common::{RequestId, RunId, ThreadId};
use baton_embedded::{Embedded, Options};
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, RunView, Status, SubmitRequest, Which};
use serde_json::{Value, json};

use crate::rig::{end, is, options, start, until};

/// A loop of one's own: each turn is kept as soon as it was said.
const BY_HAND: &str = r#"
baton: 1
graph: by-hand
input: { words: string }
output: { text: state.text, roles: "state.talk.map(said, said.role)" }
state:
  text: string
  calls: array
  talk: { type: array, reduce: messages, keep: true }
start: hear
nodes:
  hear: { save: { talk: "{'role': 'user', 'content': input.words}" }, then: model }
  model:
    chat: { route: r, messages: "{{ state.talk }}", tools: [debug.sleep] }
    save:
      text: output.text
      calls: "has(output.tool_calls) ? output.tool_calls : []"
      talk: "has(output.tool_calls) ? {'role': 'assistant', 'content': '', 'tool_calls': output.tool_calls} : {'role': 'assistant', 'content': output.text}"
    then: [ { when: "!has(output.tool_calls)", to: end }, { to: call } ]
  call:
    for_each: { in: state.calls, by: item.id }
    tool: { name: debug.sleep, args: "{{ item.arguments }}" }
    save: { talk: "state.calls.map(call, {'role': 'tool', 'tool_call_id': call.id, 'content': output[call.id]})" }
    then: model
"#;

const AGENT: &str = r#"
baton: 1
graph: agent
input: { words: string }
output: { text: state.text, roles: "state.talk.map(said, said.role)" }
state: { text: string, talk: { type: array, reduce: messages, keep: true } }
start: talk
nodes:
  talk:
    agent: { kind: tools, route: r, user: "{{ input.words }}", tools: [debug.sleep], history: talk }
    save: { text: output.text }
    then: end
"#;

/// What is told of a question lands in a file that is named after it.
const TOLD: &str = r#"
baton: 1
graph: told
output: { fine: state.fine }
state: { fine: boolean }
start: approve
nodes:
  approve:
    ask:
      title: "Fine?"
      fields: { fine: boolean }
      via: { name: debug.ledger, args: { file: "told-{{ ask.id }}.jsonl", effect: idempotent } }
    save: { fine: output.fine }
    then: more
  more: { tool: { name: debug.echo, args: {} }, then: end }
"#;

/// A cluster whose model answers so.
async fn with_model(folder: &Path, script: &Value) -> Embedded {
    let path = folder.join("models.json");
    std::fs::write(&path, script.to_string()).unwrap();
    let candidates = json!([format!("scripted:{}", path.display())]);
    let config = serde_json::from_value(json!({"routes": {"r": {"candidates": candidates}}})).unwrap();
    start(Options { config, data_dir: None, ..options(Some(folder)) }).await
}

async fn say(cluster: &Embedded, graph: &str, words: &str) -> RunId {
    let source = GraphSource { text: graph.to_owned(), name: "test.yaml".to_owned(), ..GraphSource::default() };
    let request = SubmitRequest {
        graph: GraphRef::Source(source),
        input: json!({"words": words}),
        request_id: RequestId::parse(words).ok(),
        thread: ThreadId::parse("t-1").ok(),
        traceparent: None,
        record: false,
    };
    cluster.api().submit(&Caller::local(), request).await.unwrap().run
}

/// A run is cancelled while a tool runs that its model asked for; the next one answers.
async fn after_a_cancel(graph: &str, second: Value) -> RunView {
    let folder = tempfile::tempdir().unwrap();
    let calls = json!([{"id": "a", "name": "debug.sleep", "arguments": {"ms": 60_000}}]);
    let script = json!({"rules": [{"user": "first", "reply": {"tool_calls": calls}}, second]});
    let cluster = with_model(folder.path(), &script).await;
    let first = say(&cluster, graph, "first").await;
    let sleeps = |view: &RunView| view.groups.iter().any(|group| group.tool == "debug.sleep" && group.claimed > 0);
    until(&cluster, first, sleeps).await;
    cluster.api().cancel(&Caller::local(), first).await.unwrap();
    assert!(is(&end(&cluster, first).await.0, Status::Cancelled));
    let second = say(&cluster, graph, "second").await;
    let view = end(&cluster, second).await.0;
    cluster.stop().await;
    view
}

#[tokio::test]
async fn a_call_that_a_cancelled_run_left_open_is_answered_when_the_conversation_goes_on() {
    // A model that refuses open calls as real ones do: it answers only where each has its answer.
    let told = json!({"user": "second", "tool": "\"code\":\"cancelled\"", "reply": {"text": "well"}});
    let view = after_a_cancel(BY_HAND, told).await;
    let roles = json!(["user", "assistant", "user", "assistant"]);
    assert_eq!(view.output, Some(json!({"text": "well", "roles": roles})), "{view:?}");
}

#[tokio::test]
async fn an_agent_that_was_cancelled_leaves_no_half_exchange() {
    let fresh = json!({"user": "second", "turn": 0, "reply": {"text": "well"}});
    let view = after_a_cancel(AGENT, fresh).await;
    assert_eq!(view.output, Some(json!({"text": "well", "roles": ["user", "assistant"]})), "{view:?}");
}

/// How often the question was told of.
fn told(folder: &Path, question: &str) -> usize {
    let text = std::fs::read_to_string(folder.join(format!("debug/told-{question}.jsonl"))).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"end\"")).count()
}

async fn asked(cluster: &Embedded, run: RunId, folder: &Path) -> Which {
    let view = until(cluster, run, |view| {
        view.questions.first().is_some_and(|question| told(folder, &question.id.to_string()) > 0)
    });
    Which::Interrupt(view.await.questions[0].id)
}

#[tokio::test]
async fn people_are_told_once_where_to_answer() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = start(Options { data_dir: None, ..options(Some(folder.path())) }).await;
    let run = crate::rig::submit(&cluster, TOLD, json!({})).await;
    let which = asked(&cluster, run, folder.path()).await;
    let Which::Interrupt(id) = which.clone() else { unreachable!() };
    cluster.api().answer(&Caller::local(), run, which, json!({"fine": true})).await.unwrap();
    assert_eq!(end(&cluster, run).await.0.output, Some(json!({"fine": true})));
    assert_eq!(told(folder.path(), &id.to_string()), 1);
    cluster.stop().await;
}

#[tokio::test]
async fn nobody_is_told_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(options(Some(folder.path()))).await;
    let run = crate::rig::submit(&first, TOLD, json!({})).await;
    let which = asked(&first, run, folder.path()).await;
    first.stop().await;
    let second = start(options(Some(folder.path()))).await;
    let Which::Interrupt(id) = which.clone() else { unreachable!() };
    second.api().answer(&Caller::local(), run, which, json!({"fine": false})).await.unwrap();
    assert_eq!(end(&second, run).await.0.output, Some(json!({"fine": false})));
    assert_eq!(told(folder.path(), &id.to_string()), 1);
    second.stop().await;
}
