//! T6: a worker stands still for longer than its lease and comes back, before and after another
//! has done its job. One result, no failure, and its own late failure counts for nothing.

use std::time::Duration;

use baton_common::failpoint;
use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::api::Api;
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::load::is_over;
use crate::chaos::report::Report;

/// Fails in its first attempt only, for good.
const FIRST_FAILS: &str = r#"
baton: 1
graph: chaos-zombie
output: { attempt: state.attempt }
state: { attempt: integer }
start: work
nodes:
  work:
    tool: { name: debug.fail, effect: idempotent, args: { class: permanent, code: dead, times: 1 } }
    save: { attempt: int(output.attempt) }
    then: end
"#;

const PATIENCE: Duration = Duration::from_secs(30);
/// A lease at a twentieth, and what its end needs to be noticed.
const LEASE_OVER: Duration = Duration::from_millis(2_600);

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T6 a worker comes back from the dead");
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, ..BedOptions::default() };
    let mut bed = Bed::start(&options, given.rabbit.take()).await?;
    let api = bed.direct_api()?;
    api.apply(FIRST_FAILS).await?;
    for round in 0..given.pick(1, 5) {
        // It comes back while the other works; then after the other has finished.
        for second_ms in [4_000, 1] {
            one(&mut bed, &api, second_ms, round, &mut report).await?;
        }
    }
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

async fn one(bed: &mut Bed, api: &Api, second_ms: u64, round: usize, report: &mut Report) -> anyhow::Result<()> {
    let request = format!("zombie-{second_ms}-{round}");
    // The first to claim stands still before it runs the tool, which fails in a first attempt.
    bed.workers[0].process.kill();
    bed.workers[1].process.kill();
    bed.workers[0].process.env(failpoint::VARIABLE, "before_run:pause:600:1");
    bed.workers[0].process.start()?;
    let run = api.submitted("chaos-zombie", &json!({}), &request).await?;
    let claimed = || async { Ok(api.got(&run).await?.nodes.iter().any(|node| node.claimed > 0).then_some(())) };
    until("the first claim", PATIENCE, claimed).await?;
    bed.workers[0].process.freeze()?;
    bed.workers[1].process.env(failpoint::VARIABLE, &format!("before_run:pause:{second_ms}:1"));
    bed.workers[1].process.start()?;
    tokio::time::sleep(LEASE_OVER).await;
    let again = || async { Ok((claims(api, &run).await? > 1 || is_over(&api.got(&run).await?)).then_some(())) };
    until("another claims it", PATIENCE, again).await?;
    bed.workers[0].process.thaw()?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end", PATIENCE, over).await?;
    let attempt = ended.output_json.clone().unwrap_or_default();
    let wanted = json!({"attempt": 2}).to_string();
    report.expect(
        attempt == wanted,
        format!(
            "I6: {request} ended with {attempt} {:?}: a failure of an attempt that was lost counted",
            ended.failure
        ),
    );
    report.count(&format!("{request}: claims"), claims(api, &run).await?);
    Ok(())
}

/// How often the job was claimed.
async fn claims(api: &Api, run: &str) -> anyhow::Result<usize> {
    let mut claims = 0;
    let follow = api.follow(0, run, 0, |event| claims += usize::from(event.kind == "claimed"));
    // A run that goes on keeps its watchers: a moment shows what there is.
    let _ = tokio::time::timeout(Duration::from_millis(400), follow).await;
    Ok(claims)
}
