//! Skills, read by the real program from folders beside a graph.

use std::path::Path;

use serde_json::{Value, json};

use crate::baton::{Baton, example};

const GRAPH: &str = "\
baton: 1
graph: g
output: { text: state.text, said: state.said }
state: { text: string, said: array }
start: a
nodes:
  a:
    agent: { kind: tools, route: r, user: Go, system: Be brief., skills: [bridges] }
    save: { text: output.text, said: output.messages }
    then: end
";
const MAIN: &str =
    "---\nname: bridges\ndescription: How to speak of {{ bridges }}\n---\nNever say {% never %}. See more.md.\n";

fn with_skill(main: &str) -> Baton {
    let baton = Baton::new();
    std::fs::create_dir_all(baton.path("skills/bridges/deep")).expect("a folder");
    baton.write("skills/bridges/SKILL.md", main);
    baton.write("skills/bridges/deep/more.md", "Ask for {{ its }} age.");
    baton.write("g.yaml", GRAPH);
    baton
}

/// Runs the graph over a model that answers so.
#[track_caller]
fn run(baton: &Baton, script: &Value, words: &[&str]) -> Value {
    baton.write("models.json", &script.to_string());
    let settings = format!("[routes.r]\ncandidates = [\"scripted:{}\"]\n", baton.path("models.json").display());
    baton.write("baton.toml", &settings);
    baton.run(&[&["run", "g.yaml", "--json"], words].concat()).json(0)
}

#[test]
fn a_model_is_told_of_skills_and_reads_what_it_asks_for_without_a_job() {
    let baton = with_skill(MAIN);
    let calls = json!([
        {"id": "1", "name": "skill.read", "arguments": {"name": "bridges"}},
        {"id": "2", "name": "skill.read", "arguments": {"name": "bridges", "file": "deep/more.md"}},
        {"id": "3", "name": "skill.read", "arguments": {"name": "ferries"}},
        {"id": "4", "name": "skill.read", "arguments": {"name": "bridges", "file": "../../g.yaml"}},
        {"id": "5", "name": "skill.read", "arguments": 7},
        {"id": "6", "name": "skill.read", "arguments": {"name": "bridges", "file": "SKILL.md"}},
    ]);
    let told = "- bridges: How to speak of {{ bridges }}";
    let script = json!({"rules": [
        {"turn": 0, "system": told, "offered": "skill.read", "reply": {"tool_calls": calls}},
        {"turn": 1, "system": "Be brief.", "tool": "Never say", "reply": {"text": "done"}},
    ]});
    let ended = run(&baton, &script, &[]);
    assert_eq!(ended["output"]["text"], "done", "{ended}");
    let jobs = ended["jobs"].as_array().expect("jobs").iter();
    let claimed = jobs.filter(|job| job["claims"] != json!([])).count();
    assert_eq!(claimed, 2, "only those of the model: {ended}");
    let said = ended["output"]["said"].as_array().expect("messages");
    let content = |number: usize| &said[number + 1]["content"];
    let whole = json!({"skill": "bridges", "text": "Never say {% never %}. See more.md.", "files": ["deep/more.md"]});
    assert_eq!((&content(1)["result"], &content(6)["result"]), (&whole, &whole));
    assert_eq!(content(2)["result"]["text"], "Ask for {{ its }} age.");
    let codes: Vec<_> = (3..=5).map(|number| content(number)["error"]["code"].clone()).collect();
    assert_eq!(codes, ["unknown_skill", "unknown_file", "type_mismatch"]);
    assert_eq!(content(3)["error"]["message"], "look: there is no skill ferries: there are bridges");
}

#[test]
fn a_server_keeps_the_skills_of_an_applied_graph() {
    let baton = with_skill(MAIN);
    baton.write("models.json", &json!({"otherwise": {"text": "done"}}).to_string());
    let settings = format!("[routes.r]\ncandidates = [\"scripted:{}\"]\n", baton.path("models.json").display());
    baton.write("baton.toml", &settings);
    let server = baton.dev();
    let ask = |words: &[&str]| {
        let mut command = baton.command(words);
        let ended = crate::baton::Ended::of(command.arg("--json").env("BATON_ORCHESTRATOR", &server.address));
        ended.json(0)
    };
    let applied = ask(&["graph", "apply", "g.yaml"]);
    assert_eq!(ask(&["graph", "validate", "g.yaml"])["version"], applied["version"]);
    std::fs::remove_dir_all(baton.path("skills")).expect("gone");
    assert!(ask(&["graph", "show", "g"])["source"].as_str().is_some_and(|text| text.contains("deep/more.md")));
    assert_eq!(ask(&["submit", "g", "--wait"])["output"]["text"], "done");
    let other = with_skill(&MAIN.replace("never", "ever"));
    assert_ne!(other.run(&["graph", "validate", "g.yaml", "--json"]).json(0)["version"], applied["version"]);
}

#[test]
fn what_is_wrong_or_odd_about_a_skill_is_told_with_its_file() {
    let baton = with_skill("---\nname: bridges\n---\n");
    let refused = baton.run(&["graph", "validate", "g.yaml"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("skills/bridges/SKILL.md:1:1"), "{}", refused.stderr);
    assert!(refused.stderr.contains("has no description"), "{}", refused.stderr);

    let baton = with_skill("---\nname: Bridges\ndescription: Of bridges: all\n---\n");
    let fine = baton.run(&["graph", "validate", "g.yaml"]);
    assert_eq!(fine.code, Some(0), "{fine:?}");
    assert!(fine.stderr.contains("warning[wrong_name]") && fine.stderr.contains("help: name: bridges"), "{fine:?}");
    let notes = baton.run(&["graph", "validate", "g.yaml", "--json"]).json(0)["notes"].clone();
    assert_eq!(notes.as_array().map(Vec::len), Some(2), "{notes}");

    std::fs::write(baton.path("skills/bridges/logo.png"), [0x89, b'P', 0, 0xff]).expect("a file");
    let refused = baton.run(&["graph", "validate", "g.yaml"]);
    assert!(refused.stderr.contains("skills/bridges/logo.png is no text"), "{}", refused.stderr);
}

/// The triage graph as the language describes it, word for word, over tools that answer from
/// a table.
#[test]
fn the_graph_of_the_language_runs_as_it_is_written() {
    let baton = Baton::new();
    baton.write("triage.yaml", include_str!("verbatim/triage.yaml"));
    copy(Path::new(&example("triage/prompts")), &baton.path("prompts"));
    copy(Path::new(&example("triage/skills")), &baton.path("skills"));
    let call = |id: &str, name: &str, arguments: Value| json!({"id": id, "name": name, "arguments": arguments});
    let first = [
        call("1", "skill.read", json!({"name": "runbooks", "file": "references/checkout.md"})),
        call("2", "github.read_file", json!({"path": "config/cache.yaml"})),
    ];
    let cases = json!({"graph": "./triage.yaml", "cases": [{
        "name": "a reply that is approved is posted",
        "input": {"text": "the checkout fails", "channel": "#help", "ts": "1.2", "service": "shop"},
        "results": {
            "github": {"output": {"items": [{"number": 412, "title": "Checkout answers 502"}]}},
            "alerts": {"output": {"alerts": []}},
            "draft/model": [{"output": {"text": "", "tool_calls": first}}, {"output": {"text": "Issue #412."}}],
            "draft/call-github-read_file": {"output": {"text": "warm_up_minutes: 10"}},
            "policy": {"output": {"risk": "high", "reason": "who knows"}},
            "post": {"output": {}}
        },
        "answers": {"approve": {"after": "1h", "decision": "approve"}},
        "expect": {
            "output": {"reply": "Issue #412."},
            "visited": ["alerts", "github", "draft", "draft/begin", "draft/model", "draft/call-github-read_file",
                "draft/call-skill-read", "draft/results", "draft/model", "policy", "approve", "post"],
            "took": "1h"
        }
    }]});
    baton.write("triage.test.yaml", &cases.to_string());
    let played = baton.run(&["graph", "test", "triage.test.yaml", "--json"]);
    assert_eq!(played.json(0)["passed"], 1, "{}", played.stdout);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
