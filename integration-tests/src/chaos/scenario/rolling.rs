//! T9: one orchestrator after the other is told to end and replaced, with many runs that wait
//! and some that work. Callers who repeat their calls notice nothing.

use std::time::{Duration, Instant};

use baton_testbed::Rabbit;
use futures_util::StreamExt as _;
use futures_util::stream;
use rustix::process::Signal;
use serde_json::json;

use super::Given;
use crate::chaos::api::Told;
use crate::chaos::bed::BedOptions;
use crate::chaos::clock::now_ms;
use crate::chaos::fault::{Fault, Strike};
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

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
        while !matches!(api.inbox(place).await, Told::Ok(_)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slowest = slowest.max(began.elapsed());
        let target = format!("orchestrator-{place}");
        strikes.push(Strike { fault: Fault::KillOrchestrator, target, at_ms, until_ms: now_ms() });
    }
    report.notes.push(format!("an orchestrator served again {} ms after its start, at worst", slowest.as_millis()));
    let waiting = stream::iter(runs.iter().enumerate().map(|(number, run)| {
        let api = api.clone();
        async move {
            for place in 0..60 {
                if let Told::Ok(()) = api.signal(place, run, "wake", &json!({"told": number})).await {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::bail!("I1: nobody took a signal for {run}")
        }
    }));
    let woken: Vec<anyhow::Result<()>> = waiting.buffer_unordered(16).collect().await;
    report.violations.extend(woken.into_iter().filter_map(|woken| woken.err().map(|error| error.to_string())));
    let ended = stream::iter(runs.iter().enumerate().map(|(number, run)| {
        let api = api.clone();
        async move {
            let wanted = json!({"told": number}).to_string();
            for _ in 0..200 {
                let seen = api.got(run).await?;
                if seen.output_json.as_ref() == Some(&wanted) {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::bail!("I1: {run} waited, was woken and did not end")
        }
    }));
    let ended: Vec<anyhow::Result<()>> = ended.buffer_unordered(16).collect().await;
    report.violations.extend(ended.into_iter().filter_map(|ended| ended.err().map(|error| error.to_string())));
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.count("runs that waited", suspended);
    report.count("runs that worked", verdict.runs.len());
    // Those that waited are no runs of the load.
    let unknown = |violation: &String| !violation.contains("nobody was told of");
    report.violations.extend(verdict.violations.into_iter().filter(unknown));
    Ok((report, Some(rig.end().await?.into_rabbit())))
}
