//! Schedules on the embedded cluster: each fire has one run, over a crash too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::baton::{Baton, Server, example, until};

const TICK: &str = "baton: 1\ngraph: tick\ninput: { due: string }\noutput: { due: input.due }\nstart: a\nnodes:\n  a: { wait: { for: 10ms }, then: end }\n";

fn ask(baton: &Baton, server: &Server, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--json", "--orchestrator", &server.address]).collect();
    baton.run(&words).json(0)
}

fn started(baton: &Baton, server: &Server) -> u64 {
    ask(baton, server, &["schedules", "get", "tick"])["counts"]["started"].as_u64().expect("a count")
}

#[test]
fn each_fire_has_one_run_over_a_crash() {
    let baton = Baton::new();
    let graph = baton.write("tick.yaml", TICK);
    let mut server = baton.dev();
    ask(&baton, &server, &["graph", "apply", &graph]);
    let spec = ["--graph", "tick", "--every", "1s", "--overlap", "allow", "--time-input", "due"];
    let catch_up = ["--catch-up", "all", "--per-minute", "6000"];
    let create: Vec<&str> = ["schedules", "create", "tick"].into_iter().chain(spec).chain(catch_up).collect();
    let made = ask(&baton, &server, &create);
    assert_eq!(ask(&baton, &server, &create)["version"], made["version"], "the same words make nothing new");
    until("it fires", || started(&baton, &server) >= 3);
    server.child.kill().expect("killed");
    server.child.wait().expect("its end");
    std::fs::remove_file(baton.path("address")).expect("the old address");
    let server = baton.dev();
    let before = started(&baton, &server);
    until("it fires again", || started(&baton, &server) >= before + 4);
    ask(&baton, &server, &["schedules", "pause", "tick", "--note", "enough"]);
    until("nothing waits", || {
        ask(&baton, &server, &["schedules", "get", "tick"])["waiting"].as_array().is_some_and(Vec::is_empty)
    });
    let view = ask(&baton, &server, &["schedules", "get", "tick"]);
    let runs = ask(&baton, &server, &["list", "--limit", "500"]);
    let runs = runs["runs"].as_array().expect("runs");
    let mut due = BTreeSet::new();
    for run in runs {
        let id = run["run"].as_str().or_else(|| run["id"].as_str()).expect("an id");
        until("the run ends", || ask(&baton, &server, &["get", id])["status"] == "succeeded");
        let shown = ask(&baton, &server, &["get", id]);
        assert!(
            due.insert(shown["output"]["due"].as_str().expect("a time").to_owned()),
            "two runs of one fire: {shown}"
        );
    }
    // The second in which it was killed and those nobody was there for are among them.
    let seconds: Vec<i64> =
        due.iter().map(|at| baton_schedule::parse_moment(at).expect("a moment").0 / 1_000).collect();
    assert!(seconds.windows(2).all(|pair| pair[1] == pair[0] + 1), "{due:?}");
    assert_eq!(view["counts"]["started"].as_u64(), u64::try_from(runs.len()).ok(), "{view}");
    assert_eq!(view["counts"]["missed"], 0);
}

#[test]
fn the_example_is_made_as_its_page_says() {
    let baton = Baton::new();
    let server = baton.dev();
    ask(&baton, &server, &["graph", "apply", &example("hello.yaml")]);
    let file = example("schedules/weekday-mornings.yaml");
    let fires = ask(&baton, &server, &["schedules", "preview", &file]);
    let next = fires["next"][0].as_str().expect("a fire").to_owned();
    assert!(next.ends_with("T07:00:00Z") || next.ends_with("T08:00:00Z"), "nine in Berlin: {next}");
    let made = ask(&baton, &server, &["schedules", "create", "greet", &file]);
    assert_eq!(made["name"], "greet", "{made}");
}
