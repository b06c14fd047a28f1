//! `cargo xtask bench steps`: steps per second on each store, next to a floor.
//! `cargo xtask bench engine`: five workloads, beside LangGraph where that is asked for.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints its findings")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_integration_tests::bench::{
    EnginePlan, Kind, Machine, Plan, Tape, measure, measure_engine, print_engine, print_table,
};

/// Runs at once.
const RUNS: [usize; 2] = [1, 64];

const USAGE: &str =
    "bench steps [--json] [--seconds N] [--rounds N] [--turns N] [--runs N] [--only memory|sqlite|redis+rabbitmq]";

const ENGINE_USAGE: &str = "bench engine [--json] [--rounds N] [--seconds N] [--with-langgraph]";

/// As in the programs that ship.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("steps") => steps(&arguments[1..]).await,
        Some("engine") => engine(&arguments[1..]).await,
        other => bail!("unknown bench {other:?}: {USAGE}, or {ENGINE_USAGE}"),
    }
}

async fn engine(arguments: &[String]) -> anyhow::Result<()> {
    let mut json = false;
    let mut plan = EnginePlan { rounds: 5, during: Duration::from_secs(5), python: None };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value: {ENGINE_USAGE}"));
        match argument.as_str() {
            "--json" => json = true,
            "--rounds" => plan.rounds = value()?.parse::<usize>()?.max(1),
            "--seconds" => plan.during = Duration::from_secs_f64(value()?.parse()?),
            "--python" => plan.python = Some(value()?.into()),
            other => bail!("unknown argument {other}: {ENGINE_USAGE}"),
        }
    }
    let machine = Machine::here();
    let report = measure_engine(&plan).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({"machine": machine, "figures": report}))?);
    } else {
        println!("{machine}\n");
        print_engine(&report);
    }
    Ok(())
}

async fn steps(arguments: &[String]) -> anyhow::Result<()> {
    let (mut json, mut only, mut at_once) = (false, None, RUNS.to_vec());
    let mut plan = Plan { round: Duration::from_secs(3), rounds: 5, turns: 100 };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value: {USAGE}"));
        match argument.as_str() {
            "--json" => json = true,
            "--seconds" => plan.round = Duration::from_secs_f64(value()?.parse()?),
            "--rounds" => plan.rounds = value()?.parse::<usize>()?.max(1),
            "--turns" => plan.turns = value()?.parse::<usize>()?.max(1),
            "--runs" => at_once = vec![value()?.parse::<usize>()?.max(1)],
            "--only" => only = Some(value()?.clone()),
            other => bail!("unknown argument {other}: {USAGE}"),
        }
    }
    let machine = Machine::here();
    let tape = Arc::new(Tape::record(plan.turns).await?);
    let mut all = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| only.as_deref().is_none_or(|only| only == kind.name())) {
        for &runs in &at_once {
            eprintln!("measuring {} with {runs} runs at once", kind.name());
            all.push(measure(kind, runs, &plan, &tape).await?);
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({"machine": machine, "figures": all}))?);
    } else {
        print_table(&machine, &all);
    }
    Ok(())
}
