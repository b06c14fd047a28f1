//! T11: the primary dies, and its replica is promoted, at times one that was held back. What it
//! never got is forgotten: the audit log says so, and everything goes on from what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use baton_proto::v1::AuditEntry;
use baton_testbed::Rabbit;
use serde_json::{Value, json};

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::BedOptions;
use crate::chaos::clock::now_ms;
use crate::chaos::fault::{Fault, Strike};
use crate::chaos::history::Forgotten;
use crate::chaos::load::is_over;
use crate::chaos::recovery;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

const PATIENCE: Duration = Duration::from_secs(40);
/// Runs that are watched besides the load: so many of which the last steps are forgotten, and so
/// many that are forgotten whole.
const WATCHED: usize = 4;

/// A word, and a job that tells which word it was made for.
const WORD: &str = r#"
baton: 1
graph: chaos-word
input: { ms: integer }
output: { did: state.did }
state: { told: integer, did: string }
start: listen
nodes:
  listen:
    wait: { signal: go, expires: 1h }
    save: { told: int(output.told) }
    then: act
  act:
    tool: { name: debug.sleep, effect: idempotent, args: { ms: "{{ input.ms }}", value: "{{ state.told }}" } }
    save: { did: string(output) }
    then: end
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T11 a replica is promoted");
    let options =
        BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, guarded: true, ..BedOptions::default() };
    let mut rig = Rig::start(&options, given.rabbit.take(), given.seed).await?;
    let api = rig.bed.direct_api()?;
    api.apply(WORD).await?;
    rig.load.begin(given.pick(10, 32));
    let mut strikes = Vec::new();
    for round in 0..given.pick(2, 8) {
        // The servers have changed places since the last round: each is held back once.
        let held_back = round % 4 == 0 || round % 4 == 3;
        strikes.push(promoted(&mut rig, &api, round, held_back, &mut report).await?);
    }
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.rows = recovery::rows(&strikes, &verdict.runs, &verdict.lost, &verdict.doubled);
    report.count_kills(&strikes);
    report.count("runs", verdict.runs.len());
    report.count("submitted again", rig.history.resubmitted().try_into()?);
    report.count("begun again after the store had forgotten them", verdict.again_after_forgetting);
    report.violations.extend(verdict.violations);
    Ok((report, Some(rig.end().await?.into_rabbit())))
}

/// The primary is killed while jobs work; what the watched runs and the audit log have to say.
async fn promoted(
    rig: &mut Rig,
    api: &Api,
    round: usize,
    held_back: bool,
    report: &mut Report,
) -> anyhow::Result<Strike> {
    // What worked for the first word offers its result while the job for the second works.
    let old = runs(api, &format!("word-{round}-old"), if held_back { 3_500 } else { 2_000 }).await?;
    let mut kept_ms = now_ms();
    in_step(rig)?;
    if held_back {
        guard(rig)?.hold_back()?;
    }
    // All of this the replica gets in step, or not at all.
    tell(api, &old, 1).await?;
    working(api, &old).await?;
    let new = runs(api, &format!("word-{round}-new"), 100).await?;
    if !held_back {
        // What was taken while this is waited for may not be there yet, however long that takes.
        kept_ms = now_ms();
        in_step(rig)?;
    }
    let strike = tokio::task::block_in_place(|| strike(rig, kept_ms))?;
    report.notes.push(format!(
        "round {round}, {}: a replica had taken over {} ms after the primary was killed",
        if held_back { "held back" } else { "in step" },
        strike.until_ms - strike.at_ms
    ));
    rig.history.beside(old.iter().chain(&new));
    if held_back {
        let told = audited(api, strike.at_ms, &old, &new).await?;
        for (runs, verdict) in [(&old, "went_back"), (&new, "gone")] {
            for run in runs {
                let held = told.get(run).is_some_and(|entries| entries.iter().all(|it| is_told(it, verdict)));
                report.expect(held, format!("the audit log tells of {run}, {verdict}: {:?}", told.get(run)));
            }
        }
        let again = runs(api, &format!("word-{round}-new"), 100).await?;
        report.expect(again == new, "a request id names another run after the first was forgotten");
        tell(api, &old, 2).await?;
    }
    tell(api, &new, 2).await?;
    // What was told last before the store forgot it is not what was done.
    ended(api, &old, if held_back { 2 } else { 1 }, report).await?;
    ended(api, &new, 2, report).await?;
    let told = audited(api, strike.at_ms, &[], &[]).await?;
    report.count(&format!("runs that went back, by the audit log, round {round}"), told.len());
    let before = rig.history.runs().into_iter().filter(|ran| ran.ended_ms.is_some_and(|at| at < kept_ms));
    let unfounded: Vec<String> = before
        .flat_map(|ran| {
            let entries = ran.accepted.iter().filter_map(|(run, _)| told.get(run)).flatten();
            let early = kept_ms - ran.ended_ms.unwrap_or(kept_ms);
            let tell = |entry: &AuditEntry| {
                let AuditEntry { verdict, before, after, .. } = entry;
                format!("{} {} {verdict} from {before} to {after}, {early} ms before", ran.wanted.request, entry.run_id)
            };
            entries.map(tell).collect::<Vec<_>>()
        })
        .collect();
    let none = unfounded.is_empty();
    report.expect(none, format!("runs are said to have gone back that had ended before: {unfounded:?}"));
    if !held_back {
        let lost = old.iter().chain(&new).filter(|run| told.contains_key(*run)).count();
        report.expect(lost == 0, format!("{lost} runs went back though the replica had all of them"));
    }
    Ok(strike)
}

/// Kills the primary and has its replica take its place; what was taken since `kept_ms` may be
/// forgotten by then.
fn strike(rig: &mut Rig, kept_ms: i64) -> anyhow::Result<Strike> {
    let at_ms = now_ms();
    rig.bed.redis.kill();
    rig.history.forgot(Forgotten { from_ms: kept_ms, to_ms: now_ms() });
    let (redis, guard) = (&mut rig.bed.redis, rig.bed.guard.as_mut());
    guard.ok_or_else(unguarded)?.change_places(redis)?;
    Ok(Strike { fault: Fault::Promote, target: "store".to_owned(), at_ms, until_ms: now_ms() })
}

fn unguarded() -> anyhow::Error {
    anyhow::anyhow!("the bed has no replica")
}

fn guard(rig: &Rig) -> anyhow::Result<&crate::chaos::guard::Guard> {
    rig.bed.guard.as_ref().ok_or_else(unguarded)
}

fn in_step(rig: &Rig) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| guard(rig)?.in_step(&rig.bed.redis))
}

/// Runs that listen, by the names of their requests; their jobs will take so long.
async fn runs(api: &Api, request: &str, ms: u32) -> anyhow::Result<Vec<String>> {
    let mut runs = Vec::new();
    for number in 0..WATCHED {
        runs.push(api.submitted("chaos-word", &json!({"ms": ms}), &format!("{request}-{number}")).await?);
    }
    for run in &runs {
        let listens = || async { Ok(api.got(run).await?.waits.iter().any(|it| it.code == "signal").then_some(())) };
        until("a run that listens", PATIENCE, listens).await?;
    }
    Ok(runs)
}

async fn tell(api: &Api, runs: &[String], told: u32) -> anyhow::Result<()> {
    for run in runs {
        let mut place = 0;
        let taken = || {
            place += 1;
            async move { Ok((api.signal(place, run, "word", &json!({"told": told})).await == Told::Ok(())).then_some(())) }
        };
        until("a signal that is taken", PATIENCE, taken).await?;
    }
    Ok(())
}

async fn working(api: &Api, runs: &[String]) -> anyhow::Result<()> {
    for run in runs {
        let works = || async { Ok(api.got(run).await?.nodes.iter().any(|node| node.claimed > 0).then_some(())) };
        until("a job that works", PATIENCE, works).await?;
    }
    Ok(())
}

async fn ended(api: &Api, runs: &[String], told: u32, report: &mut Report) -> anyhow::Result<()> {
    for run in runs {
        let over = || async { Ok(Some(api.got(run).await?).filter(is_over)) };
        let ended = until("the end of a run that was told", PATIENCE, over).await?;
        let output: Value = serde_json::from_str(ended.output_json.as_deref().unwrap_or("null"))?;
        let held = output == json!({"did": told.to_string()});
        report.expect(held, format!("I5: {run} was told {told}, and what was done was for another: {output}"));
    }
    Ok(())
}

/// What the audit log says went back, by run, once it speaks of all of these.
async fn audited(
    api: &Api,
    since_ms: i64,
    old: &[String],
    new: &[String],
) -> anyhow::Result<BTreeMap<String, Vec<AuditEntry>>> {
    let wanted: BTreeSet<&String> = old.iter().chain(new).collect();
    until("the audit log tells what went back", PATIENCE, || async {
        let mut told: BTreeMap<String, Vec<AuditEntry>> = BTreeMap::new();
        for entry in api.audit("setback", since_ms).await? {
            told.entry(entry.run_id.clone()).or_default().push(entry);
        }
        Ok(wanted.iter().all(|run| told.contains_key(*run)).then_some(told))
    })
    .await
}

/// Several orchestrators may have moved a run: each tells what it knows to be missing.
fn is_told(entry: &AuditEntry, verdict: &str) -> bool {
    entry.verdict == verdict && entry.before > entry.after && (verdict != "gone" || entry.after == 0)
}
