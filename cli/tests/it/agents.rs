//! Agents, run by the real program over models that answer from a file.

use std::process::Command;

use serde_json::{Value, json};

use crate::baton::{Baton, Ended, root};

const GRAPH: &str = "\
baton: 1
graph: g
output: { text: state.text, said: state.said }
state: { text: string, said: array }
start: a
nodes:
  a:
    agent: { kind: tools, route: r, user: Go, tools: [debug.echo, debug.fail], rounds: 3 }
    save: { text: output.text, said: output.messages }
    then: end
";

/// Runs the graph over a model that answers so.
#[track_caller]
fn run(script: &Value, code: i32) -> Value {
    let baton = Baton::new();
    baton.write("models.json", &script.to_string());
    let settings = format!("[routes.r]\ncandidates = [\"scripted:{}\"]\n", baton.path("models.json").display());
    baton.write("baton.toml", &settings);
    let graph = baton.write("g.yaml", GRAPH);
    baton.run(&["run", &graph, "--json"]).json(code)
}

#[test]
fn an_agent_calls_at_once_is_told_in_order_and_answers() {
    let calls = json!([
        {"id": "1", "name": "debug.fail", "arguments": {"class": "permanent", "code": "boom"}},
        {"id": "2", "name": "no.tool", "arguments": {}},
        {"id": "3", "name": "debug.echo", "arguments": {"text": "hi"}},
        {"id": "4", "name": "debug.echo", "arguments": 7},
    ]);
    // It answers only if it was told.
    let script = json!({"rules": [
        {"turn": 0, "reply": {"tool_calls": calls}},
        {"turn": 1, "tool": "boom", "reply": {"text": "done"}},
    ]});
    let ended = run(&script, 0);
    assert_eq!(ended["output"]["text"], "done", "{ended}");
    let said = ended["output"]["said"].as_array().expect("messages");
    let roles: Vec<_> = said.iter().map(|message| message["role"].as_str().expect("a role")).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "tool", "tool", "assistant"]);
    let told: Vec<_> = said[2..6].iter().map(|message| (&message["tool_call_id"], &message["content"])).collect();
    assert_eq!((told[0].0, &told[0].1["error"]["code"]), (&json!("1"), &json!("boom")));
    assert_eq!((told[1].0, &told[1].1["error"]["code"]), (&json!("2"), &json!("unknown_tool")));
    assert_eq!((told[2].0, &told[2].1["result"]["text"]), (&json!("3"), &json!("hi")));
    assert_eq!((told[3].0, &told[3].1["error"]["code"]), (&json!("4"), &json!("type_mismatch")));
}

#[test]
fn an_agent_that_never_answers_exceeds_its_rounds() {
    let script = json!({"otherwise": {"tool_calls": [{"id": "1", "name": "debug.echo", "arguments": {"text": "x"}}]}});
    let failure = run(&script, 1)["failure"].clone();
    assert_eq!((&failure["code"], &failure["node"]), (&json!("limit_exceeded"), &json!("a")), "{failure}");
}

#[test]
fn the_example_reads_answers_and_remembers() {
    let baton = Baton::new();
    let ask = |question: &str| {
        let input = json!({"question": question}).to_string();
        let settings = ["--config", "examples/agent/baton.toml"];
        let words =
            [&["run", "examples/agent/agent.yaml", "--json", "--thread", "t", "--input", &input], &settings[..]];
        let mut command: Command = baton.command(&words.concat());
        Ended::of(command.current_dir(root())).json(0)["output"].clone()
    };
    let first = ask("How long may a ferry wait?");
    assert!(first["answer"].as_str().expect("text").contains("operations-handbook.pdf"), "{first}");
    assert_eq!(first["rounds"], 3);
    // The script answers this only in a conversation of three turns.
    assert_eq!(ask("And which file?"), json!({"answer": "operations-handbook.pdf.", "rounds": 1}));
}

#[test]
fn a_call_that_a_person_rejects_is_not_made_and_the_model_is_told() {
    let baton = Baton::new();
    let script = json!({"rules": [
        {"turn": 0, "reply": {"tool_calls": [{"id": "1", "name": "debug.echo", "arguments": {"text": "danger"}}]}},
        {"turn": 1, "tool": "rejected", "reply": {"text": "then not"}},
    ]});
    baton.write("models.json", &script.to_string());
    let settings = format!("[routes.r]\ncandidates = [\"scripted:{}\"]\n", baton.path("models.json").display());
    baton.write("baton.toml", &settings);
    let approve = "rounds: 3 }\n    approve: { when: \"args.text == 'danger'\", allow: [approve, reject] }";
    let graph = baton.write("g.yaml", &GRAPH.replace("rounds: 3 }", approve));
    let words = ["run", graph.as_str(), "--request-id", "r", "--json"];
    let asked = baton.run(&words).json(3);
    let question = asked["questions"][0]["node"].as_str().expect("a question").to_owned();
    assert!(question.starts_with("a/") && question.ends_with("/approve"), "{question}");
    let answer = format!("{question}={}", json!({"action": "reject", "comment": "no"}));
    let ended = baton.run(&[&words[..], &["--answer", &answer]].concat()).json(0);
    assert_eq!(ended["output"]["text"], "then not", "{ended}");
}
