//! `bench engine`: five workloads, each computed by the engine alone, with the full
//! hand-over in memory, and with it on SQLite under full sync; beside LangGraph where it is
//! asked for.
#![allow(clippy::print_stdout, reason = "what the bench prints")]

mod alone;
mod hosted;
mod workloads;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::bed::Kind;
use super::report::quantile;
pub use workloads::{Nodes, Workload};

/// Runs at once where a rate is measured.
const RUNS: usize = 64;
/// How many times as many rounds a run in memory has: it is over in milliseconds, and what a machine
/// takes to wake for it is no part of the engine.
const BRIEF: usize = 10;
/// The program that runs the same workloads on LangGraph.
const BESIDE: &str = include_str!("workloads.py");

/// How much is measured.
#[derive(Debug, Clone)]
pub struct EnginePlan {
    /// Runs of each workload that are counted.
    pub rounds: usize,
    /// How long a rate is measured.
    pub during: Duration,
    /// Python of an environment with LangGraph.
    pub python: Option<std::path::PathBuf>,
    /// Nothing but this workload, one run after the other.
    pub only: Option<Workload>,
}

/// What one workload took.
#[derive(Debug, Clone, Serialize)]
pub struct EngineFigures {
    /// The workload.
    pub workload: &'static str,
    /// Nodes that one run activates.
    pub nodes: usize,
    /// Milliseconds of a run computed in place without checkpoints.
    pub bare_ms: f64,
    /// The same with every checkpoint made and kept in memory.
    pub step_ms: f64,
    /// Checkpoints of such a run.
    pub checkpoints: usize,
    /// Milliseconds of a run whose nodes are jobs, in memory.
    pub memory_ms: f64,
    /// The same on SQLite with full sync.
    pub sqlite_ms: f64,
    /// Jobs of such a run.
    pub jobs: u64,
    /// Milliseconds of a run on LangGraph without checkpoints.
    pub langgraph_ms: Option<f64>,
    /// The same with checkpoints in memory.
    pub langgraph_memory_ms: Option<f64>,
}

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct EngineReport {
    /// By workload.
    pub workloads: Vec<EngineFigures>,
    /// Durable steps per second on SQLite with full sync, with 64 runs at once.
    pub sqlite_steps_s: Option<f64>,
    /// Version of LangGraph.
    pub langgraph: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Beside {
    langgraph: String,
    seconds: BTreeMap<String, BesideSeconds>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct BesideSeconds {
    bare: f64,
    memory: f64,
}

/// Measures all workloads.
///
/// # Errors
/// When a run does not succeed, or LangGraph does not run.
pub async fn measure_engine(plan: &EnginePlan) -> anyhow::Result<EngineReport> {
    let beside = plan.python.as_deref().map(|python| beside(python, plan.rounds)).transpose()?;
    let mut workloads = Vec::new();
    for workload in Workload::ALL.into_iter().filter(|workload| plan.only.is_none_or(|only| only == *workload)) {
        eprintln!("measuring {}", workload.name());
        let (rounds, many) = (plan.rounds, plan.rounds * BRIEF);
        // Deep values are walked recursively: the engine has large stacks elsewhere too.
        let alone = std::thread::Builder::new().stack_size(16 << 20).spawn(move || alone::compute(workload, many))?;
        let alone = alone.join().map_err(|_| anyhow::anyhow!("the engine panicked"))??;
        // From a task of the runtime, as a server has it: a thread outside would be woken for each run.
        let memory = tokio::spawn(hosted::one_by_one(Kind::Memory, workload, many)).await??;
        let sqlite = hosted::one_by_one(Kind::Sqlite, workload, rounds.min(3)).await?;
        let other = beside.as_ref().and_then(|beside| beside.seconds.get(workload.name()));
        workloads.push(EngineFigures {
            workload: workload.name(),
            nodes: workload.nodes(),
            bare_ms: median(alone.iter().map(|run| run.seconds)),
            step_ms: median(alone.iter().map(|run| run.kept_seconds)),
            checkpoints: alone.first().map_or(0, |run| run.checkpoints),
            memory_ms: median(memory.seconds),
            sqlite_ms: median(sqlite.seconds),
            jobs: memory.jobs,
            langgraph_ms: other.map(|other| other.bare * 1_000.0),
            langgraph_memory_ms: other.map(|other| other.memory * 1_000.0),
        });
    }
    let mut sqlite_steps_s = None;
    if plan.only.is_none() {
        eprintln!("measuring SQLite with {RUNS} runs at once");
        sqlite_steps_s = Some(hosted::at_once(Kind::Sqlite, Workload::React, RUNS, plan.during).await?);
    }
    Ok(EngineReport { workloads, sqlite_steps_s, langgraph: beside.map(|beside| beside.langgraph) })
}

fn beside(python: &Path, rounds: usize) -> anyhow::Result<Beside> {
    eprintln!("measuring LangGraph");
    let ran = Command::new(python).args(["-c", BESIDE, &rounds.to_string()]).output().context("python")?;
    ensure!(ran.status.success(), "LangGraph failed: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(serde_json::from_slice(&ran.stdout)?)
}

fn median(seconds: impl IntoIterator<Item = f64>) -> f64 {
    quantile(&seconds.into_iter().collect::<Vec<_>>(), 0.5) * 1_000.0
}

/// Prints what was measured. In brackets stands how many times faster it is than LangGraph
/// does the like: without checkpoints, or with those that it keeps in memory.
pub fn print_engine(report: &EngineReport) {
    let other = report.langgraph.as_deref().map_or_else(String::new, |version| format!(" LangGraph {version} |"));
    let (dashes, saved) = if other.is_empty() { ("", "") } else { ("--:|--:|", " its checkpoints in memory |") };
    println!(
        "| workload | nodes | alone, no checkpoints ms | alone, checkpoints in memory ms | hand-over in memory ms | SQLite, full sync ms |{other}{saved}"
    );
    println!("|---|--:|--:|--:|--:|--:|{dashes}");
    for figures in &report.workloads {
        let EngineFigures { workload, nodes, bare_ms, step_ms, memory_ms, sqlite_ms, .. } = figures;
        let (bare, saved) = (figures.langgraph_ms, figures.langgraph_memory_ms);
        let times =
            |ours: f64, theirs: Option<f64>| theirs.map_or(String::new(), |ms| format!(" ({:.1} x)", ms / ours));
        let theirs = match (bare, saved) {
            (Some(bare), Some(saved)) => format!(" {bare:.1} | {saved:.1} |"),
            _ => String::new(),
        };
        println!(
            "| {workload} | {nodes} | {bare_ms:.3}{} | {step_ms:.3}{} | {memory_ms:.1}{} | {sqlite_ms:.1} |{theirs}",
            times(*bare_ms, bare),
            times(*step_ms, saved),
            times(*memory_ms, saved),
        );
    }
    if let Some(rate) = report.sqlite_steps_s {
        println!("\nSQLite with full sync, {RUNS} runs at once: {rate:.0} durable steps per second");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_computed_in_one_step() {
        for workload in Workload::ALL {
            let computed = std::thread::Builder::new().stack_size(16 << 20).spawn(move || alone::compute(workload, 1));
            let computed = computed.expect("a thread").join().expect("no panic");
            let computed = computed.unwrap_or_else(|error| panic!("{}: {error}", workload.name()));
            assert!(computed[0].checkpoints > 1, "{}", workload.name());
        }
    }
}
