//! T3: the store dies and has forgotten its last moments, or was in the middle of a write. What
//! it forgot is done again; results of what it forgot are not taken for what was done again.

use std::time::Duration;

use baton_testbed::Rabbit;
use serde_json::{Value, json};

use super::{Given, until};
use crate::chaos::api::Told;
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::clock::now_ms;
use crate::chaos::fault::Fault;
use crate::chaos::load::is_over;
use crate::chaos::nemesis::Nemesis;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

/// A decision, and a job that tells which decision it was made for.
const DECISION: &str = r#"
baton: 1
graph: chaos-decision
output: { did: state.did }
state: { decision: string, did: string }
start: decide
nodes:
  decide:
    ask: { title: "What?", fields: { word: string } }
    save: { decision: output.word }
    then: act
  act:
    tool: { name: debug.sleep, effect: idempotent, args: { ms: 2500, value: "{{ state.decision }}" } }
    save: { did: string(output) }
    then: end
"#;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T3 the store forgets its last moments");
    let mut rabbit = given.rabbit;
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let bed = Bed::start(&options, rabbit.take()).await?;
    rabbit = Some(forgotten_answer(bed, &mut report).await?);
    if given.sabotage.is_some() {
        return Ok((report, rabbit));
    }
    let (cuts, seconds) = if given.full { (12, 3) } else { (2, 2) };
    for fsync in ["everysec", "always"] {
        let options = BedOptions { fsync: fsync.to_owned(), ..options.clone() };
        let mut rig = Rig::start(&options, rabbit.take(), given.seed).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.load.begin(12);
        let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), given.seed)?;
        for _ in 0..cuts {
            nemesis.tend(Duration::from_secs(seconds)).await?;
            match fsync {
                "everysec" => nemesis.strike(Fault::CutLog)?,
                _ => torn(&mut nemesis)?,
            }
        }
        nemesis.heal()?;
        let strikes = std::mem::take(&mut nemesis.strikes);
        drop(nemesis);
        let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
        report.count(&format!("runs, log synced {fsync}"), verdict.runs.len());
        report.count(&format!("submitted again, log synced {fsync}"), rig.history.resubmitted().try_into()?);
        report.violations.extend(verdict.violations);
        rabbit = Some(rig.end().await?.into_rabbit());
    }
    Ok((report, rabbit))
}

/// With a log that is synced always, only what was not acknowledged can be half written.
fn torn(nemesis: &mut Nemesis<'_>) -> anyhow::Result<()> {
    let at_ms = now_ms();
    tokio::task::block_in_place(|| {
        nemesis.end_store()?;
        let redis = &mut nemesis.bed.redis;
        redis.tear_aof()?;
        redis.restart()
    })?;
    nemesis.made(Fault::KillStore, "store", at_ms);
    Ok(())
}

/// An answer is forgotten while a job works that was made from it; another answer is given.
async fn forgotten_answer(mut bed: Bed, report: &mut Report) -> anyhow::Result<Rabbit> {
    let api = bed.direct_api()?;
    api.apply(DECISION).await?;
    bed.workers[1].process.kill();
    let run = api.submitted("chaos-decision", &json!({}), "decision").await?;
    let asks = || async { Ok((!api.got(&run).await?.interrupts.is_empty()).then_some(())) };
    until("the question", PATIENCE, asks).await?;
    let kept = bed.redis.aof_len()?;
    answer(&api, &run, &json!({"word": "first"})).await?;
    let works = || async { Ok(api.got(&run).await?.nodes.iter().any(|node| node.claimed > 0).then_some(())) };
    until("the first job", PATIENCE, works).await?;
    let began = tokio::time::Instant::now();
    // Its worker does not hear that the store forgot it.
    bed.workers[0].process.freeze()?;
    tokio::task::block_in_place(|| {
        bed.redis.kill();
        bed.redis.cut_aof_to(kept)?;
        bed.redis.restart()
    })?;
    until("the question, once more", PATIENCE, asks).await?;
    bed.workers[1].process.start()?;
    answer(&api, &run, &json!({"word": "second"})).await?;
    until("the second job", PATIENCE, works).await?;
    // The first has its result by now, and offers it while the second works.
    tokio::time::sleep_until(began + Duration::from_millis(2_700)).await;
    bed.workers[0].process.thaw()?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end", PATIENCE, over).await?;
    let output: Value = serde_json::from_str(ended.output_json.as_deref().unwrap_or("null"))?;
    let held = output == json!({"did": "second"});
    report.expect(held, format!("I5: the answer was second, and what was done was for another: {output}"));
    report.count("answers that were forgotten", 1);
    Ok(bed.into_rabbit())
}

async fn answer(api: &crate::chaos::api::Api, run: &str, decision: &Value) -> anyhow::Result<()> {
    until("the answer is taken", PATIENCE, || async {
        match api.answer(0, run, "decide", decision).await {
            Told::Ok(_) => Ok(Some(())),
            Told::Refused { code, cause } => anyhow::bail!("{code}: {cause}"),
            Told::Unknown => Ok(None),
        }
    })
    .await
}
