//! T5: jobs that wait far longer in their queue than the sweeper waits are not published again:
//! age alone is no evidence of a loss. That messages arrive which were published later is, however
//! long the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_testbed::Rabbit;
use lapin::options::BasicGetOptions;
use lapin::{Connection, ConnectionProperties};
use serde_json::json;

use super::{Given, until};
use crate::chaos::api::Api;
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

/// Jobs whose messages are lost.
const LOST: usize = 40;
/// Jobs of a run that comes behind them.
const BEHIND: usize = 60;
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at runs.
const PAUSE: Duration = Duration::from_millis(50);

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
    let again = believed_lost(&bed, "");
    report.expect(again * 100 < jobs, format!("{again} of {jobs} messages were published again"));
    report.count("jobs", jobs);
    report.count("messages published again", again);
    lost_behind_a_queue(&bed, &api, &mut report).await?;
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

/// How often a message was believed lost, for that reason.
fn believed_lost(bed: &Bed, why: &str) -> usize {
    let logs = bed.orchestrators.iter().map(|node| node.process.log());
    let told = |log: String| log.lines().filter(|line| line.contains("believed lost") && line.contains(why)).count();
    logs.map(told).sum()
}

/// Messages are taken away from the front of a queue that is never empty again.
async fn lost_behind_a_queue(bed: &Bed, api: &Api, report: &mut Report) -> anyhow::Result<()> {
    let before = believed_lost(bed, "");
    for worker in &bed.workers {
        worker.process.freeze()?;
    }
    let items = |count: usize| json!({"items": (0..count).collect::<Vec<usize>>()});
    let run = api.submitted("chaos-backlog", &items(LOST), "lost").await?;
    let queued = |wanted: usize| async move {
        let queues: BTreeMap<String, u64> = bed.rabbit.queues(&bed.vhost)?.into_iter().collect();
        Ok((queues.values().sum::<u64>() >= wanted as u64).then_some(queues))
    };
    let front = until("the messages", PATIENCE, || queued(LOST)).await?;
    let mut behind = Vec::new();
    for number in 0..3 {
        behind.push(api.submitted("chaos-backlog", &items(BEHIND), &format!("behind-{number}")).await?);
    }
    until("the messages behind them", PATIENCE, || queued(LOST + 3 * BEHIND)).await?;
    let connection = Connection::connect(&bed.rabbit.url(&bed.vhost), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut taken = 0;
    for (queue, waiting) in front {
        for _ in 0..waiting {
            let message = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true }).await?;
            taken += usize::from(message.is_some());
        }
    }
    report.count("messages lost behind a queue", taken);
    for worker in &bed.workers {
        worker.process.thaw()?;
    }
    let over = async |run: &str| anyhow::Ok(is_over(&api.got(run).await?));
    let began = tokio::time::Instant::now();
    let mut number = behind.len();
    while !over(&run).await? {
        if began.elapsed() > PATIENCE {
            report.violations.push(format!("I1: {run} does not end while its queue is used"));
            break;
        }
        // The queue does not become empty.
        for place in &mut behind {
            if over(place).await? {
                *place = api.submitted("chaos-backlog", &items(BEHIND), &format!("behind-{number}")).await?;
                number += 1;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    let overtaken = believed_lost(bed, "overtaken");
    report.count("of them overtaken", overtaken);
    let others = believed_lost(bed, "") - before - overtaken;
    // One or the other may not have been noted as published, and is published again for that.
    let some = overtaken > 0 && overtaken < 2 * taken;
    report.expect(some, format!("{overtaken} of {taken} messages were found to be overtaken"));
    report.expect(others == 0, format!("{others} messages were published again that were there"));
    for run in behind {
        let ended = || async { Ok(over(&run).await?.then_some(())) };
        until("the end of what came behind", PATIENCE, ended).await?;
    }
    Ok(())
}
