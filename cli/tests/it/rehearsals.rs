//! `baton graph test`: what it prints, and how it exits.

use std::time::{Duration, Instant};

use crate::baton::{Baton, example, root};

const GRAPH: &str = r#"
baton: 1
graph: approval
output: { by: state.by }
state: { by: string }
start: write
nodes:
  write: { tool: { name: notes.write, args: {} }, then: approve }
  approve:
    ask: { title: "Go on?", edit: "'x'", expires: 60d }
    save: { by: output.action }
    then: end
"#;

const CASES: &str = "\
graph: ./approval.yaml
cases:
  - name: a month later
    results: { write: { output: } }
    answers: { approve: { after: 30d, decision: approve } }
    expect: { output: { by: approve }, took: 30d }
  - name: mistaken
    results: { write: { output: } }
    answers: { approve: reject }
    expect: { output: { by: approve }, visited: [write, approve, publish] }
  - name: lacking
    answers: { approve: approve }
    expect: { output: { by: approve } }
";

fn baton() -> Baton {
    let baton = Baton::new();
    baton.write("approval.yaml", GRAPH);
    baton.write("approval.test.yaml", CASES);
    baton
}

#[test]
fn the_cases_of_the_examples_hold() {
    let files = [example("saga.test.yaml"), example("newsletter/newsletter.test.yaml")];
    let started = Instant::now();
    let ended = Baton::new().run(&["graph", "test", &files[0], &files[1]]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("✓ a question that nobody answers within a day expires  1d\n"), "{ended:#?}");
    assert!(ended.stdout.contains("all as expected"), "{ended:#?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn what_differs_is_told() {
    let baton = baton();
    let first = baton.run(&["graph", "test", "approval.test.yaml"]);
    assert_eq!(first.code, Some(1), "{first:#?}");
    for part in [
        "✓ a month later  30d",
        "✗ mistaken",
        "output.by\n      - \"approve\"\n      + \"reject\"",
        "- [write, approve, publish]\n      + [write, approve]",
        "✗ lacking",
        "results has nothing for write",
        "3 cases: 1 as expected, 2 not",
    ] {
        assert!(first.stdout.contains(part), "{part:?} is missing in\n{}", first.stdout);
    }
    assert_eq!(first.stdout, baton.run(&["graph", "test", "approval.test.yaml"]).stdout, "two runs print the same");
    assert!(!baton.path("data").exists(), "nothing is kept");
}

#[test]
fn programs_get_one_value() {
    let value = baton().run(&["graph", "test", "approval.test.yaml", "--json"]).json(1);
    assert_eq!((&value["passed"], &value["failed"]), (&1.into(), &2.into()));
    let cases = &value["files"][0]["cases"];
    assert_eq!((&cases[0]["passed"], &cases[0]["visited"][1]), (&true.into(), &"approve".into()));
    assert!(cases[0]["took_ms"].as_u64().is_some_and(|took| took >= 30 * 86_400_000), "{cases}");
    let difference = &cases[1]["differences"][1];
    assert_eq!((&difference["at"], &difference["found"]), (&"output.by".into(), &"reject".into()));
    assert_eq!(cases[2]["problems"][0], "results has nothing for write");
}

#[test]
fn a_file_that_is_not_valid_is_wrong_usage() {
    let baton = baton();
    baton.write("wrong.test.yaml", &CASES.replace("results:", "resluts:"));
    let value = baton.run(&["graph", "test", "wrong.test.yaml", "--json"]).json(2);
    assert_eq!(value["error"]["code"], "invalid_test");
    let drawn = baton.run(&["graph", "test", "approval.test.yaml", "wrong.test.yaml"]);
    assert_eq!((drawn.code, drawn.stdout.as_str()), (Some(2), ""), "{drawn:#?}");
    assert!(drawn.stderr.contains("did you mean results?"), "{drawn:#?}");
    assert!(drawn.stderr.contains("invalid test file:"), "{drawn:#?}");
    assert_eq!(
        baton.run(&["graph", "test", "nowhere.test.yaml", "--json"]).json(2)["error"]["code"],
        "file_unreadable"
    );
    baton.write("lost.test.yaml", &CASES.replace("approval.yaml", "nowhere.yaml"));
    assert_eq!(baton.run(&["graph", "test", "lost.test.yaml", "--json"]).json(2)["error"]["code"], "graph_unreadable");
}

#[test]
fn what_the_guide_shows_holds() {
    let guide = std::fs::read_to_string(root().join("docs/graphs.md")).unwrap();
    let shown = guide.split("```yml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let baton = Baton::new();
    let graph = example("newsletter/newsletter.yaml");
    baton.write("guide.test.yaml", &shown.replace("./newsletter.yaml", &graph));
    let ended = baton.run(&["graph", "test", "guide.test.yaml"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}
