//! T15: an older orchestrator beside later ones. It leaves runs alone that only later programs
//! may advance: they do, and where there are none for a while, the runs wait and nothing fails.

use std::time::Duration;

use baton_testbed::Rabbit;
use futures_util::future::join_all;

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::load::{Kind, Wanted, is_over};
use crate::chaos::report::Report;

const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for the older one to meet a run often, at a twentieth.
const ALONE: Duration = Duration::from_secs(3);

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T15 an older orchestrator beside later ones");
    // Far fewer attempts than the older one will meet a run: they must not count.
    let attempts = ("BATON_TIMING_ADVANCE_ATTEMPTS_MAX".to_owned(), "2".to_owned());
    let options = BedOptions {
        sabotage: given.sabotage,
        orchestrators: 3,
        io_workers: 2,
        orchestrator_env: vec![attempts],
        ..BedOptions::default()
    };
    let mut bed = Bed::start(&options, given.rabbit.take()).await?;
    let api = bed.direct_api()?;
    api.apply(Kind::GRAPHS[0]).await?;
    // The second and the third are replaced by later ones, as in an upgrade.
    for place in [1, 2] {
        let process = &mut bed.orchestrators[place].process;
        process.kill();
        process.env("BATON_READER", "2");
        process.start()?;
        serves(&api, place).await?;
    }
    let count = given.pick(12, 200);
    let older = submitted(&api, 0, "older", count).await?;
    let later = submitted(&api, 1, "later", count).await?;
    report.violations.extend(ended(&api, &older).await);
    report.violations.extend(ended(&api, &later).await);
    // Only the older one is left: its own runs end, the others wait.
    let waiting = submitted(&api, 2, "waiting", count).await?;
    bed.orchestrators[1].process.kill();
    bed.orchestrators[2].process.kill();
    let alone = Api::new(&bed.orchestrators[0].process.address.clone().into_iter().collect::<Vec<_>>())?;
    let own = submitted(&alone, 0, "own", count).await?;
    report.violations.extend(ended(&alone, &own).await);
    let before = open(&alone, &waiting).await?;
    tokio::time::sleep(ALONE).await;
    let after = open(&alone, &waiting).await?;
    report.expect(after > 0, "all runs had ended before the later ones were gone: nothing was tried");
    report.expect(
        before == after,
        format!("I1: of {before} runs of a later program an older one ended {}", before - after),
    );
    bed.orchestrators[2].process.start()?;
    report.violations.extend(ended(&api, &waiting).await);
    report.count("runs of either version", 4 * count);
    report.count("runs that waited for a later program", after);
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

async fn serves(api: &Api, place: usize) -> anyhow::Result<()> {
    let serves = || async { Ok(matches!(api.inbox(place).await, Told::Ok(_)).then_some(())) };
    until("an orchestrator that serves", PATIENCE, serves).await
}

/// Runs that one orchestrator took.
async fn submitted(api: &Api, place: usize, name: &str, count: usize) -> anyhow::Result<Vec<(Wanted, String)>> {
    let submits = (0..count).map(|number| {
        let wanted = Wanted { kind: Kind::Loop, request: format!("{name}-{number}"), size: 3 };
        async move {
            match api.submit(place, wanted.kind.graph(), &wanted.input(), &wanted.request).await {
                Told::Ok(run) => Ok((wanted, run)),
                told => anyhow::bail!("{name}-{number} was not taken: {told:?}"),
            }
        }
    });
    join_all(submits).await.into_iter().collect()
}

/// What is wrong with how they ended.
async fn ended(api: &Api, runs: &[(Wanted, String)]) -> Vec<String> {
    let ends = runs.iter().map(|(wanted, run)| async move {
        let over = || async { Ok(Some(api.got(run).await?).filter(is_over)) };
        match until(&format!("I1: the end of {}", wanted.request), PATIENCE, over).await {
            Ok(run) => wanted.judge(&run),
            Err(error) => Some(format!("{error}: {:?}", api.got(run).await.map(|run| (run.status(), run.waits)))),
        }
    });
    join_all(ends).await.into_iter().flatten().collect()
}

/// How many have not ended.
async fn open(api: &Api, runs: &[(Wanted, String)]) -> anyhow::Result<usize> {
    let mut open = 0;
    for (_, run) in runs {
        open += usize::from(!is_over(&api.got(run).await?));
    }
    Ok(open)
}
