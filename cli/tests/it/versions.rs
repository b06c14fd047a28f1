//! A new version of a graph, and the runs under way.

use serde_json::{Value, json};

use crate::baton::{Baton, Server};

const FIRST: &str = "\
baton: 1
graph: trip
output: { said: state.said }
state: { said: string }
start: ask
nodes:
  ask: { ask: { title: 'Where to?', fields: { to: string } }, save: { said: output.to }, then: end }
";

struct Asking {
    baton: Baton,
    server: Server,
}

impl Asking {
    #[track_caller]
    fn ask(&self, words: &[&str], code: i32) -> Value {
        let output = self.output(&[words, &["--json"]].concat(), code);
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{words:?}: {error}: {output}"))
    }

    #[track_caller]
    fn output(&self, words: &[&str], code: i32) -> String {
        let mut command = self.baton.command(words);
        let output = command.env("BATON_ORCHESTRATOR", &self.server.address).output().expect("baton starts");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:#?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn apply(&self, text: &str) -> String {
        let file = self.baton.write("trip.yaml", text);
        let applied = self.ask(&["graph", "apply", &file], 0);
        applied["version"].as_str().expect("a version").to_owned()
    }
}

#[test]
fn open_runs_go_on_with_a_new_version_where_they_fit() {
    let baton = Baton::new();
    let server = baton.dev();
    let asking = Asking { baton, server };
    let first = asking.apply(FIRST);
    let asked = asking.ask(&["submit", "trip", "--wait"], 3);
    let run = asked["run"].as_str().expect("a run");
    assert_eq!(asking.ask(&["graph", "migrate", "trip"], 0)["runs"], json!([]), "it has that version");

    let other =
        asking.apply(&FIRST.replace("ask:", "tell:").replace("start: ask", "start: tell").replace("{ tell:", "{ ask:"));
    let refused = asking.ask(&["graph", "migrate", "trip", "--dry-run"], 1);
    assert_eq!((&refused["to"], &refused["dry_run"]), (&json!(other), &json!(true)));
    let one = &refused["runs"][0];
    assert_eq!((&one["run"], &one["from"], &one["result"]), (&json!(run), &json!(first), &json!("misfit")));
    assert_eq!((&one["misfits"][0]["code"], &one["misfits"][0]["node"]), (&json!("node_gone"), &json!("ask")));
    let shown = asking.output(&["graph", "migrate", "trip"], 1);
    for part in [run, "does not fit", "ask#1 is open", "help:", "node_gone"] {
        assert!(shown.contains(part), "{part:?} is missing in\n{shown}");
    }

    let second = asking.apply(
        &FIRST
            .replace("save: { said: output.to }, then: end", "save: { said: output.to }, then: praise")
            .replace("\n  ask:", "\n  praise: { save: { said: 'state.said + \" it is\"' }, then: end }\n  ask:"),
    );
    let fits = asking.ask(&["graph", "migrate", "trip", "--dry-run"], 0);
    assert_eq!((&fits["to"], &fits["runs"][0]["result"]), (&json!(second), &json!("fits")));
    asking.ask(&["graph", "migrate", &format!("trip@{other}")], 0);
    let moved = asking.ask(&["graph", "migrate", &format!("trip@{first}"), "--to", &second], 0);
    assert_eq!(moved["runs"][0]["result"], "migrated");
    asking.ask(&["answer", run, "ask", r#"{"to":"Rome"}"#], 0);
    let ended = asking.baton.command(&["watch", run]).env("BATON_ORCHESTRATOR", &asking.server.address).output();
    assert_eq!(ended.expect("baton starts").status.code(), Some(0));
    assert_eq!(asking.ask(&["get", run], 0)["output"]["said"], "Rome it is");
    asking.ask(&["graph", "migrate", "nothing"], 4);
    asking.ask(&["graph", "migrate", "trip", "--to", "nonsense"], 2);
}
