//! T4: a job that takes far longer than its lease and than the broker waits for a consumer is
//! executed exactly once.

use std::time::Duration;

use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::ledger;
use crate::chaos::load::is_over;
use crate::chaos::report::Report;

/// How long the job takes, in milliseconds: four leases, and six times what the broker waits.
const JOB_MS: u64 = 6_000;

const LONG: &str = r#"
baton: 1
graph: chaos-long
input: { ms: integer }
output: { done: "true" }
start: work
nodes:
  work:
    tool: { name: debug.ledger, effect: idempotent, args: { file: long.jsonl, effect: pure, ms: "{{ input.ms }}" } }
    timeout: 1h
    then: end
"#;

pub(super) async fn play(given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T4 a job far longer than the broker waits");
    let ms = if given.full { 150_000 } else { JOB_MS };
    // A broker of its own: it looks each second whether a consumer took too long.
    let options = BedOptions {
        sabotage: given.sabotage,
        io_workers: 2,
        rabbit_config: vec!["consumer_timeout = 1000".to_owned()],
        rabbit_advanced: vec!["{rabbit, [{channel_tick_interval, 500}]}".to_owned()],
        ..BedOptions::default()
    };
    let bed = Bed::start(&options, None).await?;
    let api = bed.direct_api()?;
    api.apply(LONG).await?;
    let run = api.submitted("chaos-long", &json!({"ms": ms}), "long").await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    until("the end", Duration::from_millis(ms) + Duration::from_secs(30), over).await?;
    let effects = ledger::read(&bed.ledger_folder())?;
    let executions: usize = effects.values().map(|effect| effect.executions.len()).sum();
    let ends: usize = effects.values().map(|effect| effect.ends).sum();
    report.expect((executions, ends) == (1, 1), format!("I9: it was begun {executions} times and ended {ends} times"));
    report.count("milliseconds it took", usize::try_from(ms)?);
    report.count("executions", executions);
    report.violations.extend(bed.panics());
    Ok((report, given.rabbit))
}
