//! Agents, run by the real program over models that answer from a file.

use std::process::Command;

use serde_json::{Value, json};

use crate::baton::{Baton, Ended, root, until};

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
    run_graph(GRAPH, script, code)
}

#[track_caller]
fn run_graph(graph: &str, script: &Value, code: i32) -> Value {
    let baton = scripted(script);
    let graph = baton.write("g.yaml", graph);
    baton.run(&["run", &graph, "--json"]).json(code)
}

/// A folder in which the route `r` answers so.
fn scripted(script: &Value) -> Baton {
    let baton = Baton::new();
    baton.write("models.json", &script.to_string());
    let settings = format!("[routes.r]\ncandidates = [\"scripted:{}\"]\n", baton.path("models.json").display());
    baton.write("baton.toml", &settings);
    baton
}

/// A graph of one agent with these settings.
fn agent(settings: &Value) -> String {
    let nodes = json!({"a": {
        "agent": settings, "save": {"text": "output.text", "said": "output.messages"}, "then": "end",
    }});
    let state = json!({"text": "string", "said": "array"});
    json!({
        "baton": 1, "graph": "g", "output": {"text": "state.text", "said": "state.said"}, "state": state,
        "start": "a", "nodes": nodes,
    })
    .to_string()
}

/// An example of an agent, on a thread.
#[track_caller]
fn example(baton: &Baton, name: &str, input: &Value, thread: &str) -> Value {
    let (graph, settings) = (format!("examples/{name}/{name}.yaml"), format!("examples/{name}/baton.toml"));
    let input = input.to_string();
    let words = ["run", &graph, "--json", "--config", &settings, "--thread", thread, "--input", &input];
    Ended::of(baton.command(&words).current_dir(root())).json(0)["output"].clone()
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

#[test]
fn the_planner_has_steps_done_that_need_each_other_and_adds_one() {
    let baton = Baton::new();
    // The script answers only who was told what the steps gave: within a plan, and to the planner.
    let input = json!({"question": "What do fourteen of us pay, each with a bicycle, and when do we leave?"});
    let answer =
        "Together they pay 103.60 crowns one way, if they book two days ahead; the first ferry leaves at 06:10.";
    assert_eq!(example(&baton, "plan", &input, "t"), json!({"answer": answer}));
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_told_and_counts() {
    let plan = |steps: Value| json!({"json": {"steps": steps}});
    let step = |id: &str, needs: &[&str]| json!({"id": id, "task": format!("do {id}"), "needs": needs});
    let planner = |turn: u64, user: &str, steps: Value| json!({"system": "break the user's task", "turn": turn, "user": user, "reply": plan(steps)});
    let script = json!({"rules": [
        planner(0, "Go", json!([step("a", &["b"]), step("b", &["a"])])),
        planner(1, "in a circle", json!([step("a", &[]), step("a", &[])])),
        planner(2, "have the id a", json!([step("a", &["z"])])),
        planner(3, "step a needs a step that is not there", json!([step("a", &[]), step("b", &["a"]), step("c", &["b"])])),
        {"user": "do b", "reply": {"failure": {"class": "permanent", "code": "boom", "message": "b is broken"}}},
        {"user": "do a", "reply": {"text": "made a"}},
        planner(4, "made a", json!([step("d", &["a"])])),
        {"user": "a: made a", "reply": {"text": "made d"}},
        {"user": "Now answer", "reply": {"text": "done"}},
    ]});
    let settings = json!({"kind": "plan", "route": "r", "user": "Go", "plans": 5});
    let ended = run_graph(&agent(&settings), &script, 0);
    let said = json!([{"role": "user", "content": "Go"}, {"role": "assistant", "content": "done"}]);
    assert_eq!(ended["output"], json!({"text": "done", "said": said}), "{ended}");

    let never = json!({"otherwise": plan(json!([step("a", &["a"])]))});
    let settings = json!({"kind": "plan", "route": "r", "user": "Go", "plans": 100});
    let failure = run_graph(&agent(&settings), &never, 1)["failure"].clone();
    assert_eq!((&failure["code"], &failure["node"]), (&json!("limit_exceeded"), &json!("a")), "{failure}");
    assert!(failure["message"].as_str().is_some_and(|why| why.contains("100 plans")), "{failure}");
}

#[test]
fn a_planner_is_told_what_failed_and_what_needed_it() {
    let steps = json!([
        {"id": "b", "task": "do b", "needs": []}, {"id": "c", "task": "do c", "needs": ["b"]},
    ]);
    let script = json!({"rules": [
        {"system": "break the user's task", "turn": 0, "reply": {"json": {"steps": steps}}},
        {"user": "do b", "reply": {"failure": {"class": "permanent", "code": "boom", "message": "b is broken"}}},
        {"system": "break the user's task", "turn": 1, "user": "dependency_failed", "reply": {"text": "no JSON"}},
        {"system": "break the user's task", "turn": 1, "user": "in the form", "reply": {"json": {"steps": []}}},
        {"user": "Now answer", "reply": {"text": "it cannot be done"}},
    ]});
    let settings = json!({"kind": "plan", "route": "r", "user": "Go"});
    assert_eq!(run_graph(&agent(&settings), &script, 0)["output"]["text"], "it cannot be done");
}

#[test]
fn a_planner_is_tested_without_a_model() {
    let test = root().join("examples/plan/plan.test.yaml").display().to_string();
    let ended = Baton::new().run(&["graph", "test", &test]);
    assert!(ended.code == Some(0) && ended.stdout.contains("2 cases: all as expected"), "{ended:?}");
}

#[test]
fn a_killed_planner_goes_on_within_the_step_that_it_was_at() {
    let step = |id: &str, needs: &[&str]| json!({"id": id, "task": format!("do {id}"), "needs": needs});
    let write = |id: &str, ms: u64| {
        let arguments = json!({"file": "done.jsonl", "effect": "idempotent", "ms": ms});
        json!({"tool_calls": [{"id": id, "name": "debug.ledger", "arguments": arguments}]})
    };
    let script = json!({"rules": [
        {"system": "break the user's task", "turn": 0, "reply": {"json": {"steps": [step("a", &[]), step("b", &["a"])]}}},
        {"user": "a: made a", "turn": 0, "reply": write("b", 1_500)},
        {"user": "a: made a", "turn": 1, "reply": {"text": "made b"}},
        {"user": "do a", "turn": 0, "reply": write("a", 0)},
        {"user": "do a", "turn": 1, "reply": {"text": "made a"}},
        {"system": "break the user's task", "turn": 1, "user": "made b", "reply": {"json": {"steps": []}}},
        {"user": "Now answer", "reply": {"text": "both"}},
    ]});
    let baton = scripted(&script);
    let settings = json!({"kind": "plan", "route": "r", "user": "Go", "tools": ["debug.ledger"]});
    let graph = baton.write("g.yaml", &agent(&settings));
    let lines = |phase: &str| {
        let text = std::fs::read_to_string(baton.path("done.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["phase"] == phase).count()
    };
    let words = ["run", graph.as_str(), "--request-id", "r", "--json"];
    let mut child = baton.command(&words).spawn().expect("baton starts");
    until("the second step has begun", || lines("start") == 2);
    child.kill().expect("kill");
    child.wait().expect("an end");
    assert_eq!(lines("end"), 1, "it was killed too late to tell anything");
    assert_eq!(baton.run(&words).json(0)["output"]["text"], "both");
    assert_eq!((lines("start"), lines("end")), (3, 2), "what was done is not done again");
}

#[test]
fn the_supervisor_hands_out_tasks_is_told_what_failed_and_answers() {
    let baton = Baton::new();
    let input = json!({"question": "What do fourteen of us pay, each with a bicycle?"});
    let handed_out = json!([["reader", "reader", "cashier"], ["cashier"]]);
    let answer = "Fourteen of them pay 103.60 crowns one way.";
    let output = example(&baton, "supervisor", &input, "t");
    assert_eq!(output, json!({"answer": answer, "handed_out": handed_out}));
}

#[test]
fn a_member_that_fails_fails_nothing_but_its_task() {
    let task = |id: &str, name: &str, arguments: Value| json!({"id": id, "name": name, "arguments": arguments});
    let script = json!({"rules": [
        {"user": "Go", "turn": 0, "reply": {"tool_calls": [
            task("1", "weak", json!({"task": "lift"})), task("2", "weak", json!({})), task("3", "strong", json!({"task": "lift"})),
            task("4", "debug.echo", json!({"text": "x"})),
        ]}},
        {"system": "You are weak", "reply": {"failure": {"class": "permanent", "code": "too_weak", "message": "no"}}},
        {"system": "You are strong for g", "user": "lift", "reply": {"text": "lifted"}},
        {"user": "Go", "turn": 1, "tool": "too_weak", "reply": {"text": "lifted by strong"}},
    ]});
    let settings = json!({
        "kind": "supervisor", "route": "r", "user": "Go", "tools": ["debug.echo"], "max_parallel": 2, "team": {
            "weak": {"about": "tries", "system": "You are weak"},
            "strong": {"about": "does", "system": "You are strong for {{ run.graph }}", "rounds": 2},
        },
    });
    let said = run_graph(&agent(&settings), &script, 0)["output"]["said"].clone();
    let told: Vec<_> = said.as_array().expect("messages")[2..6].iter().map(|message| &message["content"]).collect();
    assert_eq!(told[0]["error"]["code"], "too_weak", "{said}");
    assert_eq!(told[1]["error"]["code"], "invalid_input", "{said}");
    assert_eq!((told[2], &told[3]["result"]["text"]), (&json!({"result": "lifted"}), &json!("x")));
    assert_eq!(said[6], json!({"role": "assistant", "content": "lifted by strong"}));
}

#[test]
fn the_writer_is_told_what_the_reviewer_notes_until_it_approves() {
    let baton = Baton::new();
    let notice = "What was found on board is kept for ninety days at the ticket office in Oldhaven.";
    let output = example(&baton, "review", &json!({"about": "lost property"}), "t");
    assert_eq!(output, json!({"notice": notice, "reviews": 2}));
}

#[test]
fn a_draft_that_is_never_approved_fails_with_the_last_notes() {
    let script = json!({"rules": [
        {"system": "You review", "user": "third", "reply": {"json": {"approved": false, "notes": "still too long"}}},
        {"system": "You review", "reply": {"json": {"approved": false, "notes": "shorter"}}},
        {"turn": 0, "user": "Go", "reply": {"json": {"title": "first"}}},
        {"turn": 1, "user": "shorter", "reply": {"json": {"title": "second"}}},
        {"turn": 2, "user": "shorter", "reply": {"json": {"title": "third"}}},
    ]});
    let settings = json!({"kind": "review", "route": "r", "user": "Go", "fields": {"title": "string"}});
    let failure = run_graph(&agent(&settings), &script, 1)["failure"].clone();
    assert_eq!((&failure["code"], &failure["node"]), (&json!("limit_exceeded"), &json!("a")), "{failure}");
    assert!(failure["message"].as_str().is_some_and(|why| why.ends_with("still too long")), "{failure}");
}

#[test]
fn a_graph_may_be_a_tool() {
    let call = |id: &str, arguments: Value| json!({"id": id, "name": "add", "arguments": arguments});
    let script = json!({"rules": [
        {"turn": 0, "reply": {"tool_calls": [call("1", json!({"left": 2, "right": 3})), call("2", json!({"left": "two"}))]}},
        {"turn": 1, "tool": "\"sum\":5", "reply": {"text": "five"}},
    ]});
    let add = json!({
        "input": {"left": "integer", "right": "integer"}, "output": {"sum": "state.sum"}, "state": {"sum": "integer"},
        "start": "add", "nodes": {"add": {"save": {"sum": "input.left + input.right"}, "then": "end"}},
    });
    let tools = json!([{"graph": "add", "about": "adds two numbers"}, "debug.echo"]);
    let mut graph: Value =
        serde_json::from_str(&agent(&json!({"kind": "tools", "route": "r", "user": "Go", "tools": tools})))
            .expect("a graph");
    graph["graphs"] = json!({"add": add});
    let said = run_graph(&graph.to_string(), &script, 0)["output"]["said"].clone();
    assert_eq!(said[2]["content"], json!({"result": {"sum": 5}}), "{said}");
    assert_eq!(said[3]["content"]["error"]["code"], "invalid_input", "{said}");
    assert_eq!(said[4]["content"], "five");
}
