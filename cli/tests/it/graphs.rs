//! Graphs that are right and graphs that are not.

use crate::baton::{Baton, example};

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
