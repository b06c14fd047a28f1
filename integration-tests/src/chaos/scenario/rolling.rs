//! T9: one orchestrator after the other is told to end and replaced, with many runs that wait
//! and some that work. Callers who repeat their calls notice nothing.

use std::time::{Duration, Instant};

use baton_testbed::Rabbit;
use futures_util::StreamExt as _;
use futures_util::stream;
use rustix::process::Signal;
use serde_json::json;

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::BedOptions;
use crate::chaos::clock::now_ms;
use crate::chaos::fault::{Fault, Strike};
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

/// How long a run that is woken may take.
const PATIENCE: Duration = Duration::from_secs(30);

const WAITS: &str = r#"
baton: 1
graph: chaos-suspended
output: { told: state.told }
state: { told: integer }
start: listen
nodes:
  listen:
    wait: { signal: go, expires: 1h }
    save: { told: int(output.told) }
    then: end
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T9 one orchestrator after the other is replaced");
    let options = BedOptions {
        sabotage: given.sabotage,
        orchestrators: 3,
        io_workers: 2,
        cpu_workers: 1,
        ..BedOptions::default()
    };
    let mut rig = Rig::start(&options, given.rabbit.take(), given.seed).await?;
    let api = rig.bed.direct_api()?;
    api.apply(WAITS).await?;
    let suspended = given.pick(150, 10_000);
    let submits = (0..suspended).map(|number| {
        let api = api.clone();
        async move { api.submitted("chaos-suspended", &json!({}), &format!("suspended-{number}")).await }
    });
    let runs: Vec<String> =
        stream::iter(submits).buffered(16).collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
    rig.load.begin(given.pick(12, 100));
    let mut strikes = Vec::new();
    let mut slowest = Duration::ZERO;
    for place in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let at_ms = now_ms();
        let process = &mut rig.bed.orchestrators[place].process;
        process.signal(Signal::TERM)?;
        process.ended(Duration::from_secs(30)).await?;
        let began = Instant::now();
        process.start()?;
        let api = rig.bed.direct_api()?;
        let serves = || async { Ok(matches!(api.inbox(place).await, Told::Ok(_)).then_some(())) };
        until("an orchestrator that serves again", Duration::from_secs(30), serves).await?;
        slowest = slowest.max(began.elapsed());
        let target = format!("orchestrator-{place}");
        strikes.push(Strike { fault: Fault::KillOrchestrator, target, at_ms, until_ms: now_ms() });
    }
    report.notes.push(format!("an orchestrator served again {} ms after its start, at worst", slowest.as_millis()));
    report.violations.extend(woken(&api, &runs).await);
    rig.history.beside(&runs);
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.count("runs that waited", suspended);
    report.count("runs that worked", verdict.runs.len());
    report.violations.extend(verdict.violations);
    Ok((report, Some(rig.end().await?.into_rabbit())))
}

/// Wakes every run that waits, and sees each to its end; what went wrong.
async fn woken(api: &Api, runs: &[String]) -> Vec<String> {
    let woken = stream::iter(runs.iter().enumerate().map(|(number, run)| wake(api, run, number)));
    let woken: Vec<anyhow::Result<()>> = woken.buffer_unordered(16).collect().await;
    woken.into_iter().filter_map(|woken| woken.err().map(|error| error.to_string())).collect()
}

async fn wake(api: &Api, run: &str, number: usize) -> anyhow::Result<()> {
    let wanted = json!({"told": number});
    let mut place = 0;
    let told = || {
        place += 1;
        let wanted = wanted.clone();
        async move { Ok((api.signal(place, run, "wake", &wanted).await == Told::Ok(())).then_some(())) }
    };
    until(&format!("I1: a signal for {run} is taken"), PATIENCE, told).await?;
    let ended = || async { Ok((api.got(run).await?.output_json == Some(wanted.to_string())).then_some(())) };
    until(&format!("I1: the end of {run}, which was woken"), PATIENCE, ended).await
}
