//! The crash matrix on a laptop: `baton run` aborts at a named point, is started again with
//! the same request id, and goes on where it was. Each key was executed to its end once.

use std::path::Path;
use std::process::{Command, Output};

use baton_integration_tests::cluster::{ledger, program};
use serde_json::{Value, json};

const GRAPH: &str = include_str!("crash.yaml");

/// Points of both planes, in the order of a step.
const POINTS: [&str; 15] = [
    "after_submit_script",
    "before_advance",
    "after_advance",
    "before_publish",
    "before_confirm",
    "before_claim",
    "before_reply_claim",
    "after_claim",
    "before_ack",
    "after_ack",
    "before_run",
    "after_run",
    "before_resume",
    "after_record",
    "after_resume",
];

fn run(folder: &Path, point: Option<&str>) -> Output {
    let mut command = Command::new(program("baton").unwrap());
    command
        .args(["run", "crash.yaml", "--json", "--thread", "crash", "--request-id", "crash"])
        .args(["--data-dir", "data", "--input", &json!({"file": "ledger.jsonl"}).to_string()])
        .current_dir(folder)
        .env("BATON_DEBUG_TOOLS", "1")
        .env("BATON_DEBUG_DIR", folder.join("ledger"))
        .env_remove("BATON_FAIL");
    if let Some(point) = point {
        command.env("BATON_FAIL", format!("{point}:crash"));
    }
    command.output().unwrap()
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    for point in POINTS {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("crash.yaml"), GRAPH).unwrap();
        std::fs::create_dir(folder.path().join("ledger")).unwrap();
        let killed = run(folder.path(), Some(point));
        assert_eq!(killed.status.code(), None, "{point}: it should have died\n{}", text(&killed));
        let again = run(folder.path(), None);
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

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
