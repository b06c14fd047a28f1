//! A program that dies between writing an archive and removing its run does both once more, and
//! what was written can be read when the run is gone.

use serde_json::Value;

use crate::baton::{Baton, Server, until};

const GRAPH: &str = "
baton: 1
graph: kept
output: { said: state.said }
state: { said: string }
start: say
nodes:
  say: { tool: { name: debug.echo, args: { text: hello } }, save: { said: output.text }, then: end }
";

#[test]
fn a_run_whose_removal_was_cut_off_is_written_down_and_removed_after_all() {
    let baton = Baton::new().with("BATON_TIMING_RETENTION_MS", "500").with("BATON_ARCHIVE_MS", "3600000");
    let ask = |server: &Server, words: &[&str]| baton.run(&[words, &["--orchestrator", &server.address]].concat());
    let graph = baton.write("kept.yaml", GRAPH);
    let mut dies = baton.dev_with(&[("BATON_FAIL", "after_archive:crash:1")]);
    assert_eq!(ask(&dies, &["graph", "apply", &graph]).code, Some(0));
    let submitted = ask(&dies, &["submit", "kept", "--json"]).json(0);
    let run = submitted["run"].as_str().expect("its id");
    until("it dies", || dies.child.try_wait().expect("a child").is_some());
    assert_eq!(dies.child.wait().expect("a child").code(), None, "it should have aborted");

    let lives = baton.dev();
    until("the run is gone", || ask(&lives, &["get", run]).code == Some(4));
    let listed = ask(&lives, &["archive", "list", "--json"]).json(0);
    let archives = listed["archives"].as_array().expect("a list");
    assert_eq!(archives.len(), 1, "{listed}");
    assert_eq!(archives[0]["run"], Value::from(run));
    let text = ask(&lives, &["archive", "show", run]).stdout;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("run"), of("state"), of("audit")), (1, 1, 1), "{text}");
    assert!(of("checkpoint") > 1 && of("event") > 3, "{text}");
    let unknown = ask(&lives, &["archive", "show", "017-00000000-0000-0007-0000-000000000001"]);
    assert_eq!(unknown.code, Some(4), "{unknown:?}");
}
