//! T14: every connection there is becomes half open: nobody ends it, and nothing comes through.
//! New connections work. What is submitted then is begun within seconds all the same.

use std::time::{Duration, Instant};

use baton_testbed::{Proxy, Rabbit};
use futures_util::future::join_all;

use super::Given;
use crate::chaos::bed::BedOptions;
use crate::chaos::clock::now_ms;
use crate::chaos::fault::{Between, Fault, Strike};
use crate::chaos::ledger;
use crate::chaos::load::{Kind, Wanted};
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

/// From a submit to the first line of its first job, at worst.
const START_MS_MAX: i64 = 20_000;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T14 every connection is half open");
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let rig = Rig::start(&options, given.rabbit.take(), given.seed).await?;
    let mut strikes = Vec::new();
    let mut starts = Vec::new();
    for round in 0..given.pick(1, 10) {
        rig.bed.proxies().for_each(Proxy::silence);
        let now = now_ms();
        for between in [Between::Store, Between::Broker, Between::Calls] {
            let target = "everybody".to_owned();
            strikes.push(Strike { fault: Fault::HalfOpen(between), target, at_ms: now, until_ms: now });
        }
        let began = Instant::now();
        let runs = (0..20).map(|number| {
            let request = format!("half-{round}-{number}");
            let wanted = Wanted { kind: Kind::Loop, request, size: 2 };
            let load = rig.load.clone();
            async move {
                let mut rng = rand::SeedableRng::seed_from_u64(number);
                load.one(&wanted, &mut rng).await;
            }
        });
        join_all(runs).await;
        report.count(
            &format!("milliseconds until 20 runs had ended, round {round}"),
            began.elapsed().as_millis().try_into()?,
        );
        let prefix = format!("half-{round}-");
        let effects = ledger::read(&rig.bed.ledger_folder())?;
        let begun = effects.values().filter(|effect| effect.file.starts_with(&prefix));
        for begun in begun.filter(|effect| effect.job.contains("work#1/")) {
            starts.extend(begun.executions.first().map(|execution| execution.started_ms - now));
        }
    }
    starts.sort_unstable();
    let worst = starts.last().copied().unwrap_or(i64::MAX);
    report.expect(worst <= START_MS_MAX, format!("a job began {worst} ms after its submit"));
    report.notes.push(format!(
        "first jobs began {} ms (middle) and {worst} ms (last) after the silence",
        starts[starts.len() / 2]
    ));
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.violations.extend(verdict.violations);
    Ok((report, Some(rig.end().await?.into_rabbit())))
}
