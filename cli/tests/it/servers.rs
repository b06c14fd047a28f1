//! Commands that ask a server, against a real one.

use serde_json::Value;

use crate::baton::{Baton, Server, example};

struct Asking<'b> {
    baton: &'b Baton,
    server: Server,
    key: Option<String>,
}

impl<'b> Asking<'b> {
    fn new(baton: &'b Baton) -> Self {
        Self { baton, server: baton.dev(), key: None }
    }

    #[track_caller]
    fn ask(&self, words: &[&str], code: i32) -> Value {
        let mut command = self.baton.command(words);
        command.arg("--json").env("BATON_ORCHESTRATOR", &self.server.address);
        if let Some(key) = &self.key {
            command.env("BATON_API_KEY", key);
        }
        let output = command.output().expect("baton starts");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:#?}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {output:#?}"))
    }
}

#[test]
fn a_run_is_submitted_followed_listed_and_shown() {
    let baton = Baton::new();
    let mut asking = Asking::new(&baton);
    asking.ask(&["health"], 0);
    let applied = asking.ask(&["graph", "apply", &example("hello.yaml")], 0);
    assert_eq!(applied["changed"], true);
    assert_eq!(asking.ask(&["graph", "apply", &example("hello.yaml")], 0)["changed"], false);
    assert_eq!(asking.ask(&["graph", "list"], 0)["graphs"][0]["graph"], "hello");
    assert_eq!(asking.ask(&["graph", "show", "hello"], 0)["version"], applied["version"]);

    let first = asking.ask(&["submit", "hello", "--request-id", "r"], 0);
    let again = asking.ask(&["submit", "hello", "--request-id", "r"], 0);
    assert_eq!((&again["run"], &again["existed"]), (&first["run"], &true.into()));
    let version = format!("hello@{}", applied["version"].as_str().expect("a version"));
    let ended = asking.ask(&["submit", &version, "--wait", "--input", r#"{"name":"you"}"#], 0);
    assert_eq!(ended["output"]["greeting"], "Hello, you!");
    let run = ended["run"].as_str().expect("a run");
    assert_eq!(asking.ask(&["get", run], 0)["status"], "succeeded");
    let runs = asking.ask(&["list", "--limit", "1"], 0);
    assert_eq!(runs["runs"][0]["run"], run);
    let older = asking.ask(&["list", "--page", runs["next_page"].as_str().expect("a page")], 0);
    assert_eq!(older["runs"][0]["run"], first["run"]);
    assert_eq!(asking.ask(&["workers"], 0)["workers"].as_array().map(Vec::len), Some(2));
    assert!(asking.ask(&["queues"], 0)["queues"].as_array().is_some_and(|queues| queues.len() >= 6));
    assert_eq!(asking.server.terminate(), Some(0), "a signal is no failure");
}

#[test]
fn a_question_is_found_answered_and_its_file_fetched() {
    let baton = Baton::new();
    let asking = Asking::new(&baton);
    asking.ask(&["graph", "apply", &example("approval.yaml")], 0);
    let asked = asking.ask(&["submit", "approval", "--wait"], 3);
    let run = asked["run"].as_str().expect("a run");
    assert_eq!(asking.ask(&["answer"], 0)["questions"][0]["run"], run);
    assert_eq!(asking.ask(&["answer", run, "write", r#"{"text":7}"#], 2)["error"]["code"], "invalid_answer");
    asking.ask(&["answer", run, "nobody", "{}"], 4);
    asking.ask(&["answer", run, "write", r#"{"text":"Hello"}"#], 0);
    let approval = loop {
        let shown = asking.ask(&["answer", run], 0);
        if shown["questions"][0]["node"] == "approve" {
            break shown["questions"][0]["id"].as_str().expect("an id").to_owned();
        }
    };
    asking.ask(&["answer", run, &approval, r#"{"action":"approve"}"#], 0);
    let again = asking.ask(&["answer", run, &approval, r#"{"action":"approve"}"#], 0);
    assert_eq!(again["existed"], true);
    asking.ask(&["answer", run, &approval, r#"{"action":"reject"}"#], 1);
    let last =
        baton.command(&["watch", run]).env("BATON_ORCHESTRATOR", &asking.server.address).output().expect("baton");
    assert_eq!(last.status.code(), Some(0));
    assert_eq!(asking.ask(&["artifacts", run], 0)["artifacts"][0]["path"], "published.md");
    asking.ask(&["artifacts", run, "published.md", "--output", "got.md"], 0);
    assert_eq!(std::fs::read_to_string(baton.path("got.md")).expect("a file"), "Hello");
    let audit = asking.ask(&["audit", run], 0);
    let operations = audit["entries"].as_array().expect("entries").iter().map(|entry| &entry["operation"]);
    assert_eq!(operations.collect::<Vec<_>>(), ["submit", "answer", "answer"]);
}

#[test]
fn http_shows_what_the_command_line_shows() {
    let baton = Baton::new();
    let asking = Asking::new(&baton);
    asking.ask(&["graph", "apply", &example("approval.yaml")], 0);
    let asked = asking.ask(&["submit", "approval", "--wait"], 3);
    let run = asked["run"].as_str().expect("a run");
    let server = &asking.server;
    assert_eq!(server.http(&format!("/v1/runs/{run}")), asking.ask(&["get", run], 0));
    assert_eq!(server.http("/v1/questions"), asking.ask(&["answer"], 0));
    assert_eq!(server.http("/v1/graphs"), asking.ask(&["graph", "list"], 0));
    assert_eq!(server.http("/healthz")["alive"], true);
    let listed = asking.ask(&["list"], 0);
    let shown = server.http("/v1/runs");
    for (name, value) in shown["runs"][0].as_object().expect("a run") {
        assert_eq!(&listed["runs"][0][name], value, "{name}");
    }
}

#[test]
fn what_is_not_there_ends_with_four_and_nobody_with_five() {
    let baton = Baton::new();
    let asking = Asking::new(&baton);
    let nobody = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11";
    for words in [["get", nobody], ["cancel", nobody], ["artifacts", nobody], ["submit", "nothing"]] {
        let value = asking.ask(&words, 4);
        assert!(value["error"]["code"].as_str().is_some_and(|code| code.ends_with("_not_found")), "{value}");
    }
    asking.ask(&["unpark", nobody], 4);
    asking.ask(&["get", "no-run-id"], 2);
    asking.ask(&["list", "--status", "happy"], 2);
    drop(asking);
    let value = baton.run(&["list", "--json", "--orchestrator", "127.0.0.1:1"]).json(5);
    assert_eq!(value["error"]["code"], "server_unreachable");
}

#[test]
fn a_connection_that_is_taken_and_cut_off_reaches_nobody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    // It ends with the test's process.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let baton = Baton::new();
    let value = baton.run(&["list", "--json", "--orchestrator", &address]).json(5);
    assert_eq!(value["error"]["code"], "server_unreachable");
}

#[test]
fn the_first_key_closes_the_door_and_scopes_hold() {
    let baton = Baton::new();
    let mut asking = Asking::new(&baton);
    let operator = asking.ask(&["keys", "create", "--actor", "olga", "--scope", "operate,read"], 0);
    assert_eq!(asking.ask(&["list"], 1)["error"]["code"], "api_key_missing");
    asking.key = Some("baton_wrong".to_owned());
    assert_eq!(asking.ask(&["list"], 1)["error"]["code"], "api_key_unknown");
    asking.key = operator["secret"].as_str().map(str::to_owned);
    asking.ask(&["list"], 0);
    assert_eq!(asking.ask(&["submit", "hello"], 1)["error"]["code"], "scope_missing");
    let keys = asking.ask(&["keys", "list"], 0);
    assert_eq!((&keys["keys"][0]["actor"], &keys["keys"][0]["secret"]), (&"olga".into(), &Value::Null));
    let id = operator["id"].as_str().expect("an id");
    asking.ask(&["keys", "revoke", "ffffffff"], 4);
    asking.ask(&["keys", "revoke", id], 0);
    asking.ask(&["list"], 1);
}
