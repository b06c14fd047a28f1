//! T2: processes die, wait, fail and repeat themselves at each named point, while runs go on.

use std::time::Duration;

use baton_common::failpoint;
use baton_testbed::Rabbit;

use super::Given;
use crate::chaos::bed::BedOptions;
use crate::chaos::nemesis::Nemesis;
use crate::chaos::recovery;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;
use crate::chaos::sabotage::Sabotage;

pub(super) async fn play(given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T2 every named point: death, pause, error, repetition");
    let (seed, sabotage) = (given.seed, given.sabotage);
    let phase = Duration::from_secs(if given.full { 15 } else { 3 });
    let options = BedOptions { io_workers: 2, cpu_workers: 1, sabotage, ..BedOptions::default() };
    let mut rig = Rig::start(&options, given.rabbit, seed).await?;
    rig.load.begin(8);
    let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), seed)?;
    let orchestrators = failpoint::ORCHESTRATOR.into_iter().chain(failpoint::CALLS);
    let workers = failpoint::WORKER.into_iter();
    // A job that is told to fail before it runs fails by right.
    let failing = failpoint::WORKER.into_iter().filter(|point| *point != "before_run");
    // Without a check only what would miss it is tried, and for longer.
    let tried = |checks: &[Sabotage]| sabotage.is_none_or(|sabotage| checks.contains(&sabotage));
    let turns = if sabotage.is_some() { 3 } else { 1 };
    if tried(&[Sabotage::NoCas]) {
        // One replica waits before it commits and then stands still there: the other overtakes it.
        nemesis.arm(0, "before_advance:pause:1200:200")?;
        for _ in 0..turns {
            nemesis.tend(phase / 3).await?;
            nemesis.stop(0, Duration::from_millis(3_500)).await?;
        }
        nemesis.arm(0, &all(orchestrators.clone(), "pause:700:6"))?;
        nemesis.arm(2, &all(workers.clone(), "pause:300:5"))?;
        nemesis.tend(phase).await?;
    }
    if tried(&[Sabotage::NoDedup]) {
        for place in 0..2 {
            nemesis.arm(place, &all(orchestrators.clone(), "dup:40"))?;
            nemesis.arm(place + 2, &all(workers.clone(), "dup:100"))?;
        }
        nemesis.tend(turns * phase).await?;
    }
    if tried(&[]) {
        for place in 0..2 {
            nemesis.arm(place, &all(orchestrators.clone(), "error:6"))?;
            nemesis.arm(place + 2, &all(failing.clone(), "error:6"))?;
        }
        nemesis.tend(phase).await?;
    }
    if tried(&[Sabotage::NoReady, Sabotage::NoSweep]) {
        // Every point is where somebody dies; who died comes back and goes on to the next.
        for (turn, point) in orchestrators.clone().enumerate() {
            nemesis.arm(turn % 2, &format!("{point}:crash:3"))?;
            if let Some(point) = workers.clone().nth(turn) {
                nemesis.arm(2 + turn % 2, &format!("{point}:crash:3"))?;
            }
            nemesis.tend(phase / 3).await?;
        }
    }
    nemesis.heal()?;
    let strikes = std::mem::take(&mut nemesis.strikes);
    drop(nemesis);
    let quiet = if sabotage.is_some() { 10 } else { 90 };
    let verdict = rig.judge(&strikes, Duration::from_secs(quiet)).await?;
    report.rows = recovery::rows(&strikes, &verdict.runs, &verdict.lost, &verdict.doubled);
    report.count("runs", verdict.runs.len());
    report.count("executions begun again", verdict.again);
    report.violations = verdict.violations;
    Ok((report, Some(rig.end().await?.into_rabbit())))
}

fn all<'a>(points: impl Iterator<Item = &'a str>, action: &str) -> String {
    points.map(|point| format!("{point}:{action}")).collect::<Vec<_>>().join(",")
}
