//! The failpoints of the worker: each is passed, and a job survives all but a crash. What
//! the planes make of a crash is tested with real processes elsewhere.

use std::process::Command;
use std::time::Duration;

use baton_common::failpoint::{self, VARIABLE};
use baton_common::tool::QueueClass;
use serde_json::json;

use crate::testing::Bench;

/// Run by itself it is a plain job; run by the other test, one under a drill.
#[tokio::test(start_paused = true)]
async fn a_job_under_a_drill_is_handed_over() {
    let bench = Bench::new(QueueClass::Io);
    bench.submit(0, "t.io", json!({})).await;
    bench.start();
    bench.until_done().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let book = bench.control.book();
    assert!(book.claims.iter().all(|call| call.request == book.claims[0].request));
    println!("claims {} resumes {}", book.claims.len(), book.resumes.len());
}

/// What the job did under a drill; `None` after a crash.
fn drill(setting: &str) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::drills::a_job_under_a_drill_is_handed_over", "--nocapture"])
        .env(VARIABLE, setting)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text.lines().find_map(|line| line.find("claims ").map(|at| line[at..].to_owned()));
    assert_eq!(told.is_some(), output.status.success(), "{setting}: {text}");
    told
}

#[test]
fn every_failpoint_is_passed_on_the_way() {
    for point in failpoint::WORKER {
        assert_eq!(drill(&format!("{point}:crash")), None, "{point}");
        assert!(drill(&format!("{point}:crash:2")).is_some(), "one job passes {point} once");
        assert!(drill(&format!("{point}:pause:100")).is_some(), "{point}");
    }
    assert_eq!(drill("before_claim:error:2").unwrap(), "claims 1 resumes 1");
    assert_eq!(drill("after_claim:error:2").unwrap(), "claims 3 resumes 1");
    assert_eq!(drill("before_claim:dup:1").unwrap(), "claims 2 resumes 1");
    assert_eq!(drill("before_resume:error:3").unwrap(), "claims 1 resumes 1");
    assert_eq!(drill("after_resume:error:1").unwrap(), "claims 1 resumes 2");
    assert_eq!(drill("before_resume:dup:1").unwrap(), "claims 1 resumes 2");
}
