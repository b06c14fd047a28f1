//! Graphs that are right and graphs that are not.

use crate::baton::{Baton, example, until};

const BROKEN: &str = "\
baton: 1
graph: broken
output: { x: state.x }
state: { x: string }
start: a
nodes:
  a:
    tool: { name: debug.echo, args: { text: hi } }
    sve: { x: output.text }
    then: end
";

#[test]
fn a_valid_graph_says_its_name_and_version() {
    let value = Baton::new().run(&["graph", "validate", &example("hello.yaml"), "--json"]).json(0);
    assert_eq!((&value["valid"], &value["graph"]), (&true.into(), &"hello".into()));
    assert_eq!(value["version"].as_str().map(str::len), Some(32));
}

#[test]
fn every_example_is_valid() {
    for name in ["approval.yaml", "digest.yaml", "fan-out.yaml", "hello.yaml", "loop.yaml"] {
        let ended = Baton::new().run(&["graph", "validate", &example(name)]);
        assert_eq!(ended.code, Some(0), "{name}: {ended:#?}");
    }
}

#[test]
fn a_problem_has_a_place_and_a_cure() {
    let baton = Baton::new();
    let file = baton.write("broken.yaml", BROKEN);
    for command in [["graph", "validate"], ["graph", "apply"]] {
        let value = baton.run(&[command[0], command[1], &file, "--json"]).json(2);
        let problem = &value["error"]["problems"][0];
        assert_eq!((&problem["code"], &problem["file"]), (&"unknown_key".into(), &"broken.yaml".into()));
        assert_eq!((&problem["line"], &problem["column"]), (&9.into(), &5.into()));
        assert!(problem["help"].as_str().is_some_and(|help| help.contains("save")), "{problem}");
    }
    let drawn = baton.run(&["graph", "validate", &file]).stderr;
    for part in ["error[unknown_key]", "broken.yaml:9:5", "sve: { x: output.text }", "━━━", "did you mean save?"]
    {
        assert!(drawn.contains(part), "{part:?} is missing in\n{drawn}");
    }
}

#[test]
fn a_broken_graph_is_not_run() {
    let baton = Baton::new();
    let file = baton.write("broken.yaml", BROKEN);
    assert_eq!(baton.run(&["run", &file, "--json"]).json(2)["error"]["code"], "invalid_graph");
    assert!(!baton.path("data").exists(), "nothing was started");
}

#[test]
fn a_graph_that_is_not_there_is_wrong_usage() {
    let value = Baton::new().run(&["graph", "validate", "nowhere.yaml", "--json"]).json(2);
    assert_eq!(value["error"]["code"], "graph_unreadable");
}

const CALLER: &str = "\
baton: 1
graph: caller
start: a
nodes:
  a: { graph: { name: ./parts/part.yaml, args: { topic: x } }, then: end }
";

const PART: &str = "\
baton: 1
graph: part
input: { topic: string }
output: { text: input.topik }
start: b
nodes:
  b: { chat: { route: w, user: { file: ask.md } }, then: end }
";

#[test]
fn graphs_in_files_beside_a_graph_are_read_with_what_they_include() {
    let baton = Baton::new();
    let file = baton.write("caller.yaml", CALLER);
    std::fs::create_dir(baton.path("parts")).unwrap();
    baton.write("parts/part.yaml", PART);
    baton.write("parts/ask.md", "What of {{ input.topic }}?");
    let value = baton.run(&["graph", "validate", &file, "--json"]).json(2);
    let problems = value["error"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{value}");
    assert_eq!((&problems[0]["code"], &problems[0]["file"]), (&"unknown_input".into(), &"parts/part.yaml".into()));
    let drawn = baton.run(&["graph", "validate", &file]).stderr;
    assert!(drawn.contains("output: { text: input.topik }"), "{drawn}");
    baton.write("parts/part.yaml", &PART.replace("topik", "topic"));
    assert_eq!(baton.run(&["graph", "validate", &file, "--json"]).json(0)["valid"], true);
    let shown = baton.run(&["graph", "show", &file, "--json"]).json(0);
    assert!(shown["calls"]["./parts/part.yaml"].is_string(), "{shown}");
}

#[test]
fn a_graph_is_drawn_and_shown() {
    let baton = Baton::new();
    let chart = baton.run(&["graph", "draw", &example("digest.yaml")]);
    assert!(chart.stdout.starts_with("flowchart TD\n"), "{chart:#?}");
    let picture = baton.path("digest.svg");
    let drawn = baton.run(&["graph", "draw", &example("digest.yaml"), "--out", &picture.display().to_string()]);
    assert_eq!(drawn.code, Some(0), "{drawn:#?}");
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg "));
    let shown = baton.run(&["graph", "show", &example("digest.yaml")]).stdout;
    for part in ["takes", "question: string", "NODE", "extract", "for each file"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let schema = baton.run(&["graph", "schema"]).stdout;
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["definitions"]["node"].is_object());
}

const CALLS_APPLIED: &str = "\
baton: 1
graph: caller
start: a
nodes:
  a: { graph: { name: part, args: { topc: x } }, then: b }
  b: { tool: { name: debug.sleep, args: { ms: soon } }, then: c }
  c: { tool: { name: debug.slep }, then: end }
";

#[test]
fn a_server_knows_tools_and_applied_graphs() {
    let baton = Baton::new();
    let server = baton.dev();
    let run = |words: &[&str]| baton.run(&[words, &["--orchestrator", &server.address, "--json"]].concat());
    let file = baton.write("caller.yaml", CALLS_APPLIED);
    let codes = |value: &serde_json::Value| -> Vec<String> {
        let problems = value["error"]["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().map(|problem| problem["code"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(codes(&run(&["graph", "validate", &file]).json(2)), ["unknown_graph"]);

    let part = "baton: 1\ngraph: part\ninput: { topic: string }\nstart: a\nnodes: { a: { then: end } }\n";
    let part = baton.write("part.yaml", part);
    let first = run(&["graph", "apply", &part]).json(0)["version"].clone();
    assert_eq!(codes(&run(&["graph", "validate", &file]).json(2)), ["missing_argument", "unknown_argument"]);
    until("workers tell their tools", || run(&["workers"]).stdout.contains("debug.echo"));
    for command in [["graph", "apply", &file].as_slice(), &["graph", "validate", "--server", &file]] {
        let refused = codes(&run(command).json(2));
        assert_eq!(refused, ["missing_argument", "unknown_argument", "type_mismatch", "unknown_tool"]);
    }

    let fine = CALLS_APPLIED.replace("topc", "topic").replace("soon", "1").replace("slep", "echo");
    let file = baton.write("caller.yaml", &fine);
    assert_eq!(run(&["graph", "validate", "--server", &file]).json(0)["valid"], true);
    let before = run(&["graph", "apply", &file]).json(0)["version"].clone();
    let shown = run(&["graph", "show", "caller"]).json(0);
    assert_eq!((&shown["version"], &shown["calls"]["part"]), (&before, &first));

    // A new version of what it calls makes a new version of it once it is applied again.
    let other = "baton: 1\ngraph: part\ninput: { topic: string }\nstart: b\nnodes: { b: { then: end } }\n";
    run(&["graph", "apply", &baton.write("part.yaml", other)]).json(0);
    assert_eq!(run(&["graph", "show", "caller"]).json(0)["calls"]["part"], first);
    assert_ne!(run(&["graph", "apply", &file]).json(0)["version"], before);
    let old = format!("part@{}", first.as_str().unwrap());
    assert_eq!(run(&["graph", "show", &old]).json(0)["version"], first);
}
