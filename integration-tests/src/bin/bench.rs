//! `cargo xtask bench steps`: steps per second on each store, next to a floor.
//! `cargo xtask bench cluster`: a cluster of real processes, next to two floors.
//! `cargo xtask bench fairness`: what one tenant notices of another's flood.
//! `cargo xtask bench engine`: five workloads, beside LangGraph where that is asked for.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints its findings")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_integration_tests::bench::{
    ClusterPlan, EnginePlan, FLOOR_WORKER, FairnessPlan, Kind, Machine, Plan, Section, Setting, Tape, Workload,
    fairness_table, floor_worker, measure, measure_cluster, measure_engine, measure_fairness, print_engine,
    print_table,
};

/// Runs at once.
const RUNS: [usize; 2] = [1, 64];

const USAGE: &str =
    "bench steps [--json] [--seconds N] [--rounds N] [--turns N] [--runs N] [--only memory|sqlite|redis+rabbitmq]";

const FAIRNESS_USAGE: &str = "bench fairness [--json] [--jobs N] [--ms N] [--seconds N] [--most RATIO]";

const ENGINE_USAGE: &str = "bench engine [--json] [--rounds N] [--seconds N] [--only WORKLOAD] [--with-langgraph]";

/// As in the programs that ship.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLUSTER_USAGE: &str = "bench cluster [--json] [--quick] [--plots] [--only SECTION] [--seconds N] [--rounds N] \
    [--runs N] [--setting everysec|always] [--suspended N], where SECTION is steps, latency, suspended, fan-out, warm or tracing";

/// Where charts are written.
const PLOTS: &str = "docs/benchmarks";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("steps") => steps(&arguments[1..]).await,
        Some("engine") => engine(&arguments[1..]).await,
        Some("cluster") => cluster(&arguments[1..]).await,
        Some(FLOOR_WORKER) => floor_worker(&arguments[1..]).await,
        Some("fairness") => fairness(&arguments[1..]).await,
        other => bail!("unknown bench {other:?}: {USAGE}, {ENGINE_USAGE}, {CLUSTER_USAGE}, or {FAIRNESS_USAGE}"),
    }
}

async fn engine(arguments: &[String]) -> anyhow::Result<()> {
    let mut json = false;
    let mut plan = EnginePlan { rounds: 5, during: Duration::from_secs(5), python: None, only: None };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value: {ENGINE_USAGE}"));
        match argument.as_str() {
            "--json" => json = true,
            "--rounds" => plan.rounds = value()?.parse::<usize>()?.max(1),
            "--seconds" => plan.during = Duration::from_secs_f64(value()?.parse()?),
            "--python" => plan.python = Some(value()?.into()),
            "--only" => {
                let name = value()?;
                let named = Workload::ALL.into_iter().find(|workload| workload.name() == name);
                plan.only = Some(named.with_context(|| format!("unknown workload {name}: {ENGINE_USAGE}"))?);
            }
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

async fn cluster(arguments: &[String]) -> anyhow::Result<()> {
    let (mut json, mut plots) = (false, false);
    let mut plan = ClusterPlan::full();
    if arguments.iter().any(|argument| argument == "--quick") {
        plan = ClusterPlan::quick();
    }
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value: {CLUSTER_USAGE}"));
        match argument.as_str() {
            "--quick" => {}
            "--json" => json = true,
            "--plots" => plots = true,
            "--only" => {
                let name = value()?;
                plan.sections = Section::ALL.into_iter().filter(|section| section.name() == name).collect();
                anyhow::ensure!(!plan.sections.is_empty(), "unknown section {name}: {CLUSTER_USAGE}");
            }
            "--seconds" => plan.round = Duration::from_secs_f64(value()?.parse()?),
            "--rounds" => plan.rounds = value()?.parse::<usize>()?.max(1),
            "--runs" => plan.runs = vec![value()?.parse::<usize>()?.max(1)],
            "--suspended" => plan.suspended = value()?.parse::<usize>()?.max(100),
            "--setting" => {
                plan.settings = match value()?.as_str() {
                    "everysec" => vec![Setting::Everysec],
                    "always" => vec![Setting::Always],
                    other => bail!("unknown setting {other}: {CLUSTER_USAGE}"),
                };
            }
            other => bail!("unknown argument {other}: {CLUSTER_USAGE}"),
        }
    }
    let report = measure_cluster(&plan).await?;
    if plots {
        for name in report.draw(std::path::Path::new(PLOTS))? {
            eprintln!("drawn {PLOTS}/{name}");
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.tables());
    }
    Ok(())
}

/// Fails where the ratio is above the one that was asked for.
async fn fairness(arguments: &[String]) -> anyhow::Result<()> {
    let (mut json, mut most) = (false, None::<f64>);
    let mut plan = FairnessPlan { jobs: 50_000, ms: 100, alone: Duration::from_secs(20) };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value: {FAIRNESS_USAGE}"));
        match argument.as_str() {
            "--json" => json = true,
            "--jobs" => plan.jobs = value()?.parse()?,
            "--ms" => plan.ms = value()?.parse()?,
            "--seconds" => plan.alone = Duration::from_secs_f64(value()?.parse()?),
            "--most" => most = Some(value()?.parse()?),
            other => bail!("unknown argument {other}: {FAIRNESS_USAGE}"),
        }
    }
    let machine = Machine::here();
    let figures = measure_fairness(&plan).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({"machine": machine, "figures": figures}))?);
    } else {
        println!("{machine}\n\n{}", fairness_table(&figures));
    }
    anyhow::ensure!(most.is_none_or(|most| figures.ratio <= most), "the ratio is above {most:?}");
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
