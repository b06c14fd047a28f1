//! T13: the store has no memory or no disk left, under load, and workers die for want of memory.
//! Nothing is lost; callers are told to come again, and what ends every worker that takes it is
//! given up.

use std::time::{Duration, Instant};

use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::clock::now_ms;
use crate::chaos::fault::Fault;
use crate::chaos::load::{Kind, Wanted, is_over};
use crate::chaos::nemesis::Nemesis;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

const PATIENCE: Duration = Duration::from_secs(30);
/// How often a fault is made that was over before the store met it.
const STRIKES_MAX: usize = 4;
/// What a cpu worker may have, and what its job wants.
const MEMORY_MAX: u64 = 3 << 30;
const WANTED_MB: u64 = 4 << 10;

const GREEDY: &str = r#"
baton: 1
graph: chaos-greedy
input: { mb: integer }
output: { done: "true" }
start: compute
nodes:
  compute:
    tool: { name: debug.spin, args: { ms: 20, mb: "{{ input.mb }}" } }
    then: end
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T13 no memory, no disk");
    let rabbit = given.rabbit.take();
    let mut rabbit = full_store(&given, rabbit, &mut report).await?;
    if given.full {
        rabbit = ended_store(&given, rabbit, &mut report).await?;
    }
    rabbit = greedy_job(rabbit, &mut report).await?;
    Ok((report, Some(rabbit)))
}

/// The store refuses what it has no room for, with a log that is synced each second.
async fn full_store(given: &Given, rabbit: Option<Rabbit>, report: &mut Report) -> anyhow::Result<Rabbit> {
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let mut rig = Rig::start(&options, rabbit, given.seed).await?;
    let api = rig.bed.direct_api()?;
    rig.load.begin(10);
    let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), given.seed)?;
    nemesis.tend(Duration::from_secs(1)).await?;
    let mut refused = Vec::new();
    for round in 0..given.pick(1, 10) {
        for (fault, code) in [(Fault::FullMemory, "OOM"), (Fault::FullDisk, "MISCONF")] {
            let before = nemesis.bed.redis.errors(code)?;
            let mut after = before;
            // A log whose last write is still on its way to the disk is not written to for up to
            // two seconds, and so not found to be full.
            for again in 0..STRIKES_MAX {
                nemesis.strike(fault)?;
                refused.extend(submits(&api, &format!("full-{round}-{again}-{code}")).await);
                nemesis.tend(Duration::from_millis(2_600)).await?;
                after = nemesis.bed.redis.errors(code)?;
                if after > before {
                    break;
                }
            }
            report.expect(after > before, format!("the store never said {code}: nothing was tried"));
            report.count(&format!("{code}: writes the store refused, round {round}"), (after - before).try_into()?);
        }
    }
    nemesis.heal()?;
    let strikes = std::mem::take(&mut nemesis.strikes);
    drop(nemesis);
    report.expect(refused.is_empty(), format!("callers were refused for good: {refused:?}"));
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.count("runs, store full at times", verdict.runs.len());
    // What was submitted beside the load is no run of it.
    let known = |violation: &String| !violation.contains("nobody was told of");
    report.violations.extend(verdict.violations.into_iter().filter(known));
    Ok(rig.end().await?.into_rabbit())
}

/// Submits for a while; what was refused so that a caller would not come again.
async fn submits(api: &Api, request: &str) -> Vec<String> {
    let (until, mut refused) = (Instant::now() + Duration::from_millis(400), Vec::new());
    for number in 0.. {
        let wanted = Wanted { kind: Kind::Loop, request: format!("{request}-{number}"), size: 1 };
        let told = api.submit(number, wanted.kind.graph(), &wanted.input(), &wanted.request).await;
        if let Told::Refused { code, cause } = told {
            refused.push(format!("{code}: {cause}"));
        }
        if Instant::now() > until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    refused
}

/// With a log that is synced always a store that cannot write ends by itself. Once there is room
/// it is started again and has everything that it acknowledged.
async fn ended_store(given: &Given, rabbit: Rabbit, report: &mut Report) -> anyhow::Result<Rabbit> {
    let fsync = "always".to_owned();
    let options = BedOptions { fsync, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let mut rig = Rig::start(&options, Some(rabbit), given.seed).await?;
    rig.load.begin(10);
    let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), given.seed)?;
    for _ in 0..5 {
        nemesis.tend(Duration::from_secs(1)).await?;
        let at_ms = now_ms();
        nemesis.bed.redis.fill_disk()?;
        let began = Instant::now();
        while nemesis.bed.redis.is_running() && began.elapsed() < PATIENCE {
            nemesis.tend(Duration::from_millis(20)).await?;
        }
        report.expect(!nemesis.bed.redis.is_running(), "the store went on without a log");
        tokio::task::block_in_place(|| nemesis.bed.redis.restart())?;
        nemesis.made(Fault::FullDisk, "store", at_ms);
    }
    nemesis.heal()?;
    let strikes = std::mem::take(&mut nemesis.strikes);
    drop(nemesis);
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.count("runs, store ended by a full disk", verdict.runs.len());
    report.violations.extend(verdict.violations);
    Ok(rig.end().await?.into_rabbit())
}

/// A job that ends each worker that takes it is given up after three, and the worker goes on.
async fn greedy_job(rabbit: Rabbit, report: &mut Report) -> anyhow::Result<Rabbit> {
    let attempts = ("BATON_TIMING_INFRA_ATTEMPTS_MAX".to_owned(), "3".to_owned());
    let options =
        BedOptions { cpu_workers: 1, io_workers: 0, orchestrator_env: vec![attempts], ..BedOptions::default() };
    let mut bed = Bed::start(&options, Some(rabbit)).await?;
    let api = bed.direct_api()?;
    api.apply(GREEDY).await?;
    let worker = &mut bed.workers[0].process;
    worker.kill();
    worker.memory_max(MEMORY_MAX);
    worker.start()?;
    let greedy = api.submitted("chaos-greedy", &json!({"mb": WANTED_MB}), "greedy").await?;
    let (mut deaths, began) = (0, Instant::now());
    let ended = loop {
        if !worker.is_running() {
            deaths += 1;
            worker.start()?;
        }
        let run = api.got(&greedy).await?;
        if is_over(&run) {
            break run;
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "I1: the greedy run does not end: {:?}", run.waits);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let code = ended.failure.map(|failure| failure.code).unwrap_or_default();
    report.expect(code == "poison", format!("I11: a job that ends its workers ended with {code:?}"));
    report.expect((3..=4).contains(&deaths), format!("I11: it ended {deaths} workers"));
    report.count("workers that ended for want of memory", deaths);
    worker.start()?;
    let modest = api.submitted("chaos-greedy", &json!({"mb": 1}), "modest").await?;
    let over = || async { Ok(Some(api.got(&modest).await?).filter(is_over)) };
    let ended = until("a modest job afterwards", PATIENCE, over).await?;
    report.expect(ended.failure.is_none(), format!("a modest job afterwards failed: {:?}", ended.failure));
    Ok(bed.into_rabbit())
}
