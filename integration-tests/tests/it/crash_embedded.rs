//! The crash matrix on a laptop: `baton run` aborts at a named point, is started again with
//! the same request id, and goes on where it was. Each key was executed to its end once.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use baton_common::failpoint;
use baton_integration_tests::cluster::{ledger, program};
use serde_json::{Value, json};
use tempfile::TempDir;

const GRAPH: &str = include_str!("crash.yaml");

/// One job that may be killed at leisure.
const LONG: &str = "
baton: 1
graph: long
output: { done: 'true' }
start: only
nodes:
  only:
    tool: { name: debug.ledger, args: { file: long.jsonl, effect: idempotent, ms: 1500 } }
    then: end
";

/// Points that a process of its own does not pass: marks are made of what nobody claims at
/// once, and the direct handle replies to nobody.
const PASSED_BY: [&str; 2] = ["before_mark", "before_reply_resume"];

/// `baton run` of a graph in that folder, always for the same request.
fn command(folder: &Path, graph: &str, input: &Value) -> Command {
    let mut command = Command::new(program("baton").unwrap());
    command
        .args(["run", graph, "--json", "--thread", "crash", "--request-id", "crash"])
        .args(["--data-dir", "data", "--input", &input.to_string()])
        .current_dir(folder)
        .env("BATON_DEBUG_TOOLS", "1")
        .env("BATON_DEBUG_DIR", folder.join("ledger"))
        .env_remove("BATON_FAIL")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A folder with a graph and room for ledgers.
fn folder(graph: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(graph), text).unwrap();
    std::fs::create_dir(folder.path().join("ledger")).unwrap();
    folder
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let input = json!({"file": "ledger.jsonl"});
    let points = failpoint::ORCHESTRATOR.into_iter().chain(failpoint::WORKER);
    for point in points.filter(|point| !PASSED_BY.contains(point)) {
        let folder = folder("crash.yaml", GRAPH);
        let run = || command(folder.path(), "crash.yaml", &input);
        let killed = run().env("BATON_FAIL", format!("{point}:crash")).output().unwrap();
        assert_eq!(killed.status.code(), None, "{point}: it should have died\n{}", text(&killed));
        let again = run().output().unwrap();
        assert_eq!(again.status.code(), Some(0), "{point}: {}", text(&again));
        let told: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(told["output"], json!({"ends": 5}), "{point}");
        let jobs = told["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), 5, "{point}: {jobs:?}");
        for job in jobs {
            let resumes = job["resumes"].as_array().unwrap();
            assert_eq!(resumes.iter().filter(|resume| resume["result"] == "ok").count(), 1, "{point}: {job}");
            assert!(!job["claims"].as_array().unwrap().is_empty(), "{point}: {job}");
        }
        let executions = ledger::read(&folder.path().join("ledger")).unwrap();
        assert_eq!(executions.len(), 5, "{point}: {executions:?}");
        assert!(executions.values().all(|execution| execution.ends == 1), "{point}: {executions:?}");
    }
}

#[test]
fn a_program_that_is_killed_again_and_again_makes_no_job_poison() {
    const KILLS: usize = 5;
    let folder = folder("long.yaml", LONG);
    let run = || command(folder.path(), "long.yaml", &json!({}));
    let executions = || ledger::read(&folder.path().join("ledger")).unwrap().into_values().next().unwrap_or_default();
    for kill in 1..=KILLS {
        let mut running = run().spawn().unwrap();
        let began = Instant::now();
        while executions().starts < kill {
            let ended = running.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(30), "kill {kill}: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert_eq!(executions().ends, 0, "each kill came in the middle of the job");
    let last = run().output().unwrap();
    assert_eq!(last.status.code(), Some(0), "{}", text(&last));
    assert_eq!((executions().starts, executions().ends), (KILLS + 1, 1));
}

#[test]
fn a_job_that_ends_its_program_each_time_is_poison_in_the_end() {
    let folder = folder("long.yaml", LONG);
    let run = || {
        let mut command = command(folder.path(), "long.yaml", &json!({}));
        command.env("BATON_TIMING_INFRA_ATTEMPTS_MAX", "2").env("BATON_FAIL", "before_run:crash").output().unwrap()
    };
    for _ in 0..2 {
        let died = run();
        assert_eq!(died.status.code(), None, "{}", text(&died));
    }
    let last = run();
    assert_eq!(last.status.code(), Some(1), "{}", text(&last));
    assert!(text(&last).contains("poison"), "{}", text(&last));
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
