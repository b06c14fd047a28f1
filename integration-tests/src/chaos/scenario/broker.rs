//! T8: the broker is emptied, loses queues and bindings, refuses messages and dies, in turn and
//! under load. Nothing is lost, and calls are answered meanwhile.

use std::time::{Duration, Instant};

use baton_testbed::Rabbit;

use super::Given;
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::BedOptions;
use crate::chaos::fault::Fault;
use crate::chaos::nemesis::Nemesis;
use crate::chaos::recovery;
use crate::chaos::report::Report;
use crate::chaos::rig::Rig;

/// A call may take so long whatever the broker does, or twice as long as in peace.
const CALL_MS_MAX: u128 = 1_000;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T8 the broker dies, is emptied, and refuses");
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, cpu_workers: 1, ..BedOptions::default() };
    let mut rig = Rig::start(&options, given.rabbit.take(), given.seed).await?;
    let api = rig.bed.direct_api()?;
    rig.load.begin(10);
    let calm = slowest_call(&api, Duration::from_secs(1)).await;
    let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), given.seed)?;
    let mut disturbed = Duration::ZERO;
    for _ in 0..given.pick(1, 5) {
        for fault in [
            Fault::Purge,
            Fault::Delete,
            Fault::Unbind,
            Fault::Alarm,
            Fault::DiskAlarm,
            Fault::StopBroker,
            Fault::KillBroker,
        ] {
            nemesis.strike(fault)?;
            disturbed = disturbed.max(slowest_call(&api, Duration::from_millis(500)).await);
            nemesis.tend(Duration::from_millis(1_500)).await?;
        }
    }
    nemesis.heal()?;
    let strikes = std::mem::take(&mut nemesis.strikes);
    drop(nemesis);
    let verdict = rig.judge(&strikes, Duration::from_secs(60)).await?;
    report.rows = recovery::rows(&strikes, &verdict.runs, &verdict.lost, &verdict.doubled);
    report.count("runs", verdict.runs.len());
    report.notes.push(format!(
        "the slowest call took {} ms in peace and {} ms under faults",
        calm.as_millis(),
        disturbed.as_millis()
    ));
    let bound = CALL_MS_MAX.max(2 * calm.as_millis());
    report.expect(disturbed.as_millis() <= bound, format!("a call took {disturbed:?} while the broker was in trouble"));
    report.violations.extend(verdict.violations);
    Ok((report, Some(rig.end().await?.into_rabbit())))
}

/// The slowest of calls that are made one after the other for so long.
async fn slowest_call(api: &Api, time: Duration) -> Duration {
    let (until, mut slowest, mut place) = (Instant::now() + time, Duration::ZERO, 0);
    while Instant::now() < until {
        let began = Instant::now();
        let answered = api.inbox(place).await;
        slowest = slowest.max(if answered == Told::Unknown { Duration::from_secs(5) } else { began.elapsed() });
        place += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    slowest
}
