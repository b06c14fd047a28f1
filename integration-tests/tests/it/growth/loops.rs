//! Long runs: their last supersteps cost what their first did, and memory stays flat.
//!
//! Memory is the process's, so these run in one of their own.

use std::process::Command;

use baton_common::settings::Timings;
use serde_json::json;

use super::within;
use crate::rig::{Asks, Kind, Rig, stored};

/// Set in a process that runs one of these alone.
const ALONE: &str = "BATON_TEST_ALONE";

/// Supersteps of a run of local nodes.
const SUPERSTEPS: u64 = 100_000;

const LOCAL: &str = "
baton: 1
graph: local
input: { turns: integer }
output: { n: state.n }
state: { n: { type: integer, reduce: sum, default: 0 }, last: string, text: { type: string, default: a } }
limits: { steps: 1000000 }
start: add
nodes:
  add: { save: { n: '1', last: state.text }, then: [ { when: state.n < input.turns, to: other }, { to: end } ] }
  other: { save: { n: '1', text: state.last }, then: add }
";

const JOBS: &str = "
baton: 1
graph: jobs
input: { turns: integer }
output: { n: state.n }
state: { n: { type: integer, reduce: sum, default: 0 }, text: string }
limits: { steps: 1000000 }
start: turn
nodes:
  turn:
    tool: { name: debug.echo, args: { n: 1, text: 'the same each time' } }
    save: { n: output.n, text: output.text }
    then: [ { when: state.n < input.turns, to: turn }, { to: end } ]
";

/// Runs the test of that name in a process of its own; whether this is that process.
fn alone(name: &str) -> bool {
    if std::env::var(ALONE).is_ok_and(|only| only == name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("growth::loops::{name}"), "--nocapture"]).env(ALONE, name);
    let ran = command.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    print!("{told}");
    assert!(ran.status.success() && told.contains("1 passed"), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_supersteps_end_as_cheaply_as_they_began() {
    if !alone("a_hundred_thousand_supersteps_end_as_cheaply_as_they_began") {
        return;
    }
    let rig = Rig::start(Kind::Sqlite).await;
    let run = rig.submit(LOCAL, json!({ "turns": SUPERSTEPS }), Asks::default()).await;
    let output = rig.output(run).await;
    assert_eq!(output, json!({ "n": SUPERSTEPS + 1 }));
    let advances = rig.meter.advances();
    let checkpoints: u64 = advances.iter().map(|one| one.checkpoints).sum();
    assert!(checkpoints > SUPERSTEPS, "{checkpoints}");
    assert!(advances.iter().all(|one| one.checkpoints <= 1_100), "no commit grows with the run");

    // Ten whole advances, each of about a thousand supersteps.
    let cost = |from: usize| {
        let (before, after) = (advances[from].sum, advances[from + 10].sum);
        let supersteps: u64 = advances[from + 1..=from + 10].iter().map(|one| one.checkpoints).sum();
        let each = |sum: u64| sum as f64 * 1_000.0 / supersteps as f64;
        (each(after.bytes - before.bytes), each(after.calls - before.calls))
    };
    let (first, last) = (cost(0), cost(advances.len() - 12));
    println!("bytes and calls of a thousand supersteps: {first:.1?} at first, {last:.1?} at last");
    // Numbers have more digits by then.
    assert!(last.0 <= first.0 * 1.05 && last.1 <= first.1 * 1.05, "{first:?} {last:?}");

    let mib = |at: usize| advances[at].resident >> 20;
    let (tenth, half, end) = (mib(advances.len() / 10), mib(advances.len() / 2), mib(advances.len() - 1));
    println!("{tenth} MiB after a tenth of it, {half} after half, {end} at the end: {:?}", stored(&rig));
    assert!(end <= tenth + 24, "memory grows with the run: {tenth}, {half}, {end} MiB");
    rig.stop().await;
}

/// Turns of a run of jobs.
const TURNS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_many_turns_with_a_job_costs_what_the_first_did() {
    if !alone("the_last_of_many_turns_with_a_job_costs_what_the_first_did") {
        return;
    }
    let rig = Rig::with(Kind::Sqlite, Timings::default()).await;
    let run = rig.submit(JOBS, json!({ "turns": TURNS }), Asks::default()).await;
    assert_eq!(rig.output(run).await, json!({ "n": TURNS }));
    let advances = rig.meter.advances();
    assert_eq!(advances.len() as u64, TURNS + 1);
    let cost = |from: usize| {
        let (before, after) = (advances[from].sum, advances[from + 200].sum);
        ((after.bytes - before.bytes) as f64 / 200.0, (after.calls - before.calls) as f64 / 200.0)
    };
    let (first, last) = (cost(50), cost(advances.len() - 202));
    println!("bytes and calls of a turn: {first:.1?} at first, {last:.1?} at last");
    assert!(within(first.0, last.0, 10.0) && within(first.1, last.1, 10.0), "{first:?} {last:?}");
    let mib = |at: usize| advances[at].resident >> 20;
    let (tenth, end) = (mib(advances.len() / 10), mib(advances.len() - 1));
    println!("{tenth} MiB after a tenth of it, {end} at the end");
    assert!(end <= tenth + 24, "memory grows with the run: {tenth}, {end} MiB");
    rig.stop().await;
}
