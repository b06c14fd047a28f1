//! T5: jobs that wait far longer in their queue than the sweeper waits are not published again:
//! age alone is no evidence of a loss.

use std::time::Duration;

use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::ledger;
use crate::chaos::load::is_over;
use crate::chaos::report::Report;

const BACKLOG: &str = r#"
baton: 1
graph: chaos-backlog
input: { items: array }
output: { ends: state.ends }
state: { ends: { type: integer, reduce: sum, default: 0 } }
start: many
nodes:
  many:
    tool: { name: debug.ledger, effect: idempotent, args: { file: backlog.jsonl, effect: pure, ms: 15 } }
    for_each: input.items
    max_parallel: 10000
    timeout: 1h
    save: { ends: size(output) }
    then: end
"#;

pub(super) async fn play(given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T5 a long queue before one slow worker");
    let jobs = given.pick(300, 5_000);
    // One job at a time; the sweeper looks after 150 ms whether a message was lost.
    let timing = |name: &str, ms: &str| (format!("BATON_TIMING_{name}"), ms.to_owned());
    let options = BedOptions {
        sabotage: given.sabotage,
        orchestrator_env: vec![timing("CHECK_AFTER_MS", "150"), timing("UNCLAIMED_AFTER_MS", "500")],
        worker_env: vec![("BATON_SLOTS".to_owned(), "1".to_owned())],
        ..BedOptions::default()
    };
    let bed = Bed::start(&options, given.rabbit).await?;
    let api = bed.direct_api()?;
    api.apply(BACKLOG).await?;
    let items: Vec<usize> = (0..jobs).collect();
    let run = api.submitted("chaos-backlog", &json!({"items": items}), "backlog").await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end", Duration::from_secs(600), over).await?;
    report.expect(
        ended.output_json.as_deref() == Some(&json!({"ends": jobs}).to_string()),
        format!("I1: it ended as {:?} {:?}", ended.status(), ended.output_json),
    );
    let effects = ledger::read(&bed.ledger_folder())?;
    let executions: usize = effects.values().map(|effect| effect.executions.len()).sum();
    report.expect(executions == jobs, format!("I9: {jobs} jobs were begun {executions} times"));
    let logs = bed.orchestrators.iter().map(|node| node.process.log());
    let again: usize = logs.map(|log| log.matches("message believed lost").count()).sum();
    report.expect(again * 100 < jobs, format!("{again} of {jobs} messages were published again"));
    report.count("jobs", jobs);
    report.count("messages published again", again);
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}
