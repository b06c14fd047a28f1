//! Runs in the program itself: to the end, to a question, and on after a kill.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::baton::{Baton, example, until};

const LEDGER: &str = "\
baton: 1
graph: ledger
output: { done: state.done }
state: { done: integer }
start: work
nodes:
  work:
    for_each: { in: '[0, 1, 2, 3, 4, 5]', as: i }
    tool: { name: debug.ledger, args: { file: ledger.jsonl, effect: idempotent, ms: 250 } }
    max_parallel: 2
    save: { done: size(output) }
    then: end
";

#[test]
fn hello_runs_to_its_end_and_tells_of_its_jobs() {
    let value = Baton::new().run(&["run", &example("hello.yaml"), "--input", r#"{"name":"you"}"#, "--json"]).json(0);
    assert_eq!(value["status"], "succeeded");
    assert_eq!(value["output"]["greeting"], "Hello, you!");
    let jobs = value["jobs"].as_array().expect("jobs");
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        assert_eq!(job["fences"], serde_json::json!([1]), "{job}");
        assert_eq!(job["resumes"][0]["result"], "ok", "{job}");
    }
}

const CALLS: &str = "\
baton: 1
graph: calls
output: { done: state.done }
state: { done: integer }
start: each
nodes:
  each: { for_each: '[7, 8]', graph: { name: echoes, args: { n: '{{ item }}' } }, save: { done: size(output) }, then: end }
graphs:
  echoes:
    input: { n: integer }
    output: { n: state.n }
    state: { n: integer }
    start: echo
    nodes:
      echo: { tool: { name: debug.echo, args: { n: '{{ input.n }}' } }, save: { n: output.n }, then: end }
";

#[test]
fn jobs_of_called_graphs_are_told_beneath_the_call() {
    let baton = Baton::new();
    let graph = baton.write("calls.yaml", CALLS);
    let value = baton.run(&["run", &graph, "--json"]).json(0);
    let jobs = value["jobs"].as_array().expect("jobs");
    let names: Vec<&str> = jobs.iter().filter_map(|job| job["job"].as_str()).collect();
    assert_eq!(names, ["each#1/0", "each#1/1", "each#1/0/echo#1/0", "each#1/1/echo#1/0"]);
    assert!(jobs.iter().all(|job| job["resumes"][0]["result"] == "ok"), "{value}");
    assert_eq!(value["nodes"], serde_json::json!([]), "nothing is under way any more");
}

#[test]
fn people_get_the_output_alone_and_progress_beside_it() {
    let ended = Baton::new().run(&["run", &example("hello.yaml")]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "Hello, world!\n"));
    assert!(ended.stderr.contains("✓ greet") && ended.stderr.contains("✓ rest"), "{}", ended.stderr);
}

#[test]
fn the_same_request_is_the_same_run() {
    let baton = Baton::new();
    let run = || baton.run(&["run", &example("hello.yaml"), "--request-id", "r", "--thread", "t", "--json"]).json(0);
    let (first, second) = (run(), run());
    assert_eq!((&first["run"], &first["ended_at_ms"]), (&second["run"], &second["ended_at_ms"]));
    assert_eq!(first["thread"], "t");
}

#[test]
fn a_question_ends_with_three_and_its_answer_goes_on() {
    let baton = Baton::new();
    let graph = example("approval.yaml");
    let run = |answers: &[&str], code| {
        let words = [&["run", graph.as_str(), "--request-id", "r", "--json"], answers].concat();
        baton.run(&words).json(code)
    };
    let asked = run(&[], 3);
    assert_eq!((&asked["status"], &asked["questions"][0]["node"]), (&"waiting".into(), &"write".into()));
    let write = ["--answer", r#"write={"text":"Hello"}"#];
    assert_eq!(run(&write, 3)["questions"][0]["node"], "approve");
    let ended = run(&[write, ["--answer", r#"approve={"action":"approve"}"#]].concat(), 0);
    assert_eq!((&ended["output"]["published"], &ended["run"]), (&"Hello".into(), &asked["run"]));
    let file = ended["artifacts"][0]["file"].as_str().expect("a file");
    assert_eq!(std::fs::read_to_string(file).expect("the artifact"), "Hello");
}

#[test]
fn an_answer_that_does_not_fit_is_wrong_usage() {
    let graph = example("approval.yaml");
    for answer in ["write", "write=yes", r#"write={"text":7}"#] {
        let ended = Baton::new().run(&["run", &graph, "--answer", answer, "--json"]);
        assert_eq!(ended.code, Some(2), "{answer}: {ended:#?}");
    }
}

#[test]
fn a_killed_run_goes_on_where_it_was_and_finishes_each_job_once() {
    let baton = Baton::new();
    let graph = baton.write("ledger.yaml", LEDGER);
    let words = ["run", graph.as_str(), "--request-id", "r", "--thread", "t", "--json"];
    let mut child = baton.command(&words).spawn().expect("baton starts");
    until("a job has ended", || ends(&baton).values().sum::<usize>() >= 1);
    child.kill().expect("kill");
    child.wait().expect("an end");
    let before = ends(&baton).len();
    assert!(before < 6, "it was killed too late to tell anything");
    let value = baton.run(&words).json(0);
    assert_eq!(value["output"]["done"], 6);
    let ends = ends(&baton);
    assert_eq!(ends.len(), 6);
    assert!(ends.values().all(|count| *count == 1), "{ends:?}");
}

#[test]
fn a_failed_run_ends_with_one_and_says_where_and_why() {
    let baton = Baton::new();
    let text = "baton: 1\ngraph: unlucky\nstart: a\nnodes:\n  a: { tool: { name: debug.fail, args: { class: permanent, code: broken, message: no luck } }, then: end }\n";
    let graph = baton.write("no.yaml", text);
    let value = baton.run(&["run", &graph, "--json"]).json(1);
    assert_eq!((&value["status"], &value["failure"]["node"]), (&"failed".into(), &"a".into()), "{value}");
}

#[test]
fn an_input_that_is_no_json_or_does_not_fit_is_wrong_usage() {
    let baton = Baton::new();
    for input in ["{", r#"{"nmae":"x"}"#, "@nowhere.json", "[]"] {
        let ended = baton.run(&["run", &example("hello.yaml"), "--input", input, "--json"]);
        assert_eq!(ended.code, Some(2), "{input}: {ended:#?}");
    }
}

#[test]
fn an_unknown_setting_offers_the_nearest_one() {
    let ended = Baton::new().with("BATON_DATA_DRI", "x").run(&["run", "x.yaml"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("did you mean BATON_DATA_DIR?"), "{}", ended.stderr);
}

/// How often each idempotency key has ended.
fn ends(baton: &Baton) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(baton.path("ledger.jsonl")).unwrap_or_default();
    let mut ends = BTreeMap::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["phase"] == "end" {
            *ends.entry(line["key"].to_string()).or_default() += 1;
        }
    }
    ends
}

const FAMILY: &str = "\
baton: 1
graph: family
output: { said: state.said }
state: { said: array }
start: each
nodes:
  each:
    for_each: \"['a', 'b']\"
    graph: { name: person, args: { name: '{{ item }}' } }
    save: { said: 'output.map(one, one.word)' }
    then: end
graphs:
  person:
    input: { name: string }
    output: { word: state.word }
    state: { word: string }
    start: ask
    nodes:
      ask: { ask: { title: 'Your word, {{ input.name }}?', fields: { word: string } }, save: { word: output.word }, then: end }
";

#[test]
fn what_a_called_graph_asks_appears_under_its_caller() {
    let baton = Baton::new();
    let graph = baton.write("family.yaml", FAMILY);
    let run = |answers: &[&str], code| {
        let words = [&["run", graph.as_str(), "--request-id", "r", "--json"], answers].concat();
        baton.run(&words).json(code)
    };
    let asked = run(&[], 3);
    let questions = asked["questions"].as_array().expect("questions");
    let mut nodes: Vec<_> = questions.iter().map(|one| one["node"].as_str().expect("a node")).collect();
    nodes.sort_unstable();
    assert_eq!((&asked["status"], nodes), (&"waiting".into(), vec!["each[0]/ask", "each[1]/ask"]));
    let first = ["--answer", r#"each[0]/ask={"word":"ja"}"#];
    let left = run(&first, 3);
    assert_eq!(left["questions"].as_array().map(Vec::len), Some(1), "{left}");
    assert_eq!(left["questions"][0]["node"], "each[1]/ask");
    let ended = run(&["--answer", r#"each[1]/ask={"word":"nein"}"#], 0);
    assert_eq!(ended["output"]["said"], serde_json::json!(["ja", "nein"]));
}
