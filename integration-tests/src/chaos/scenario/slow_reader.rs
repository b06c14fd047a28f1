//! T16: somebody reads the events of a run far more slowly than they come, while more come than
//! are kept. He is told what he missed, and nobody waits for him.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use baton_testbed::Rabbit;
use serde_json::json;

use super::{Given, until};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::events::Seen;
use crate::chaos::load;
use crate::chaos::report::Report;

const MANY: &str = r#"
baton: 1
graph: chaos-many
input: { items: array }
output: { ends: state.ends }
state: { ends: { type: integer, reduce: sum, default: 0 } }
start: many
nodes:
  many:
    tool: { name: debug.echo, args: { word: one } }
    for_each: input.items
    max_parallel: 64
    timeout: 1h
    save: { ends: size(output) }
    then: end
"#;

pub(super) async fn play(given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T16 a slow reader of events");
    let items: Vec<usize> = (0..given.pick(2_000, 5_000)).collect();
    let options = BedOptions { sabotage: given.sabotage, ..BedOptions::default() };
    let bed = Bed::start(&options, given.rabbit).await?;
    let api = bed.direct_api()?;
    api.apply(MANY).await?;
    let alone = Instant::now();
    let run = api.submitted("chaos-many", &json!({"items": items}), "alone").await?;
    let over = |run: String| {
        let api = api.clone();
        move || {
            let (api, run) = (api.clone(), run.clone());
            async move { Ok(Some(api.got(&run).await?).filter(load::is_over)) }
        }
    };
    until("the run nobody watches", Duration::from_secs(300), over(run)).await?;
    let alone = alone.elapsed();
    let watched = Instant::now();
    let run = api.submitted("chaos-many", &json!({"items": items}), "watched").await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (api, run, is_over) = (api.clone(), run.clone(), is_over.clone());
        async move {
            let mut seen: Vec<Seen> = Vec::new();
            // It reads a little, and nothing more before the run is over.
            let follow = api.follow(0, &run, 0, |event| {
                seen.push(event);
                while seen.len() == 5 && !is_over.load(Ordering::Relaxed) {
                    tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(20)));
                }
            });
            follow.await?;
            anyhow::Ok(seen)
        }
    });
    let ended = until("the run that is watched", Duration::from_secs(300), over(run)).await?;
    let watched = watched.elapsed();
    is_over.store(true, Ordering::Relaxed);
    report.expect(
        ended.output_json.as_deref() == Some(&json!({"ends": items.len()}).to_string()),
        format!("I1: it ended as {:?}", ended.status()),
    );
    let seen = reader.await??;
    let mut next = 1;
    for event in &seen {
        let first = if event.kind == "gap" { event.number } else { event.seq };
        report.expect(first == next, format!("I12: {} ({}) came where {next} had to", first, event.kind));
        next = event.seq + 1;
    }
    report.expect(seen.last().is_some_and(|event| event.kind == "ended"), "I12: the end was not told");
    let slower = watched.as_secs_f64() / alone.as_secs_f64();
    report.expect(slower < 2.0, format!("a slow reader made the run {slower:.1} times as long"));
    let gaps = seen.iter().filter(|event| event.kind == "gap").count();
    report.expect(gaps > 0, "too little was tried: every event was still there");
    report.count("events of the run", usize::try_from(next - 1)?);
    report.count("told as events", seen.len() - gaps);
    report.count("gaps that were told", gaps);
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}
