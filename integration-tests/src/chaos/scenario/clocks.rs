//! T20: the clocks of an orchestrator and of a worker are ten minutes off, one fast and one slow,
//! and in full then the other way round. Nothing ends before its time, and nothing is begun again.

use std::time::{Duration, Instant};

use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::BedOptions;
use crate::chaos::load::is_over;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;
use crate::chaos::skew;

const PATIENCE: Duration = Duration::from_secs(30);
/// What a pause lasts, and a question is open.
const PAUSE_MS: u128 = 2_000;
/// How much longer each may take, on a busy machine.
const LATE_MS_MAX: u128 = 4_000;

const PAUSES: &str = r#"
baton: 1
graph: chaos-pauses
output: { told: state.told }
state: { told: { type: string, default: nothing } }
start: pause
nodes:
  pause:
    wait: { for: 2s }
    then: ask
  ask:
    ask: { title: "Well?", fields: { word: string }, expires: 2s }
    save: { told: output.word }
    then: end
    on_error:
      - { when: "error.code == 'expired'", to: end }
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T20 clocks that are ten minutes off");
    let mut rabbit = given.rabbit.take();
    let signs: &[i64] = if given.full { &[1, -1] } else { &[1] };
    for sign in signs {
        rabbit = Some(one(&given, sign * skew::SECONDS, rabbit, &mut report).await?);
    }
    Ok((report, rabbit))
}

async fn one(given: &Given, seconds: i64, rabbit: Option<Rabbit>, report: &mut Report) -> anyhow::Result<Rabbit> {
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let mut rig = Rig::start(&options, rabbit, given.seed).await?;
    for (node, seconds) in [(&mut rig.bed.orchestrators[0], seconds), (&mut rig.bed.workers[0], -seconds)] {
        node.process.kill();
        skew::set(&mut node.process, seconds)?;
        node.process.start()?;
    }
    let api = rig.bed.direct_api()?;
    let serves = || async { Ok(matches!(api.inbox(0).await, Told::Ok(_)).then_some(())) };
    until("an orchestrator whose clock is off", PATIENCE, serves).await?;
    rig.load.begin(given.pick(10, 30));
    tokio::time::sleep(Duration::from_secs(if given.full { 60 } else { 3 })).await;
    // Nothing was struck since: whatever began again did so because of a clock.
    let verdict = rig.judge(&[], Duration::from_secs(60)).await?;
    report.count(&format!("runs, an orchestrator {seconds:+} s off"), verdict.runs.len());
    report.violations.extend(verdict.violations);
    // And alone it waits as long as it must.
    rig.bed.orchestrators[1].process.kill();
    let alone = Api::new(&rig.bed.orchestrators[0].process.address.clone().into_iter().collect::<Vec<_>>())?;
    alone.apply(PAUSES).await?;
    let began = Instant::now();
    let run = alone.submitted("chaos-pauses", &json!({}), "pauses").await?;
    let asked = || async { Ok((!alone.got(&run).await?.interrupts.is_empty()).then_some(())) };
    until("the end of a pause", PATIENCE, asked).await?;
    in_time("a pause", began.elapsed(), seconds, report);
    let began = Instant::now();
    let over = || async { Ok(Some(alone.got(&run).await?).filter(is_over)) };
    until("the end of a question", PATIENCE, over).await?;
    // It was seen a moment after it was asked.
    in_time("a question", began.elapsed() + Duration::from_millis(200), seconds, report);
    Ok(rig.end().await?.into_rabbit())
}

fn in_time(what: &str, took: Duration, seconds: i64, report: &mut Report) {
    let ms = took.as_millis();
    let holds = (PAUSE_MS - 50..=PAUSE_MS + LATE_MS_MAX).contains(&ms);
    report.expect(holds, format!("{what} of {PAUSE_MS} ms took {ms} with a clock {seconds:+} s off"));
}
