//! T10: thousands of jobs of one node of which one fails, under each policy; results and inputs
//! that are large. No script keeps the store from others for long.

use std::time::{Duration, Instant};

use baton_testbed::{Rabbit, Redis};
use serde_json::{Value, json};

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::load::is_over;
use crate::chaos::report::Report;

/// No script may take longer, in microseconds.
const SCRIPT_US_MAX: u64 = 20_000;
/// A list larger than what a checkpoint holds.
const LARGE: usize = 300 * 10_240;
/// Larger than what is taken at all.
const TOO_LARGE: usize = 20 << 20;

const WIDE: &str = r#"
baton: 1
graph: chaos-wide-POLICY
input: { items: array, bad: integer }
output: { ok: state.ok, failed: state.failed }
state: { ok: { type: integer, default: 0 }, failed: { type: integer, default: 0 } }
start: many
nodes:
  many:
    tool: { name: debug.fail, effect: idempotent, args: { class: permanent, code: broken, times: "{{ 9 if item == input.bad else 0 }}" } }
    for_each: input.items
    max_parallel: 200
    on_item_error: ERRORS
    save: { ok: "size(output.filter(one, one != null))", failed: "size(errors)" }
    then: end
"#;

const TEXT: &str = r#"
baton: 1
graph: chaos-text
input: { text: string, items: array }
output: { bytes: state.bytes }
state: { bytes: { type: integer, default: 0 } }
start: repeat
nodes:
  repeat:
    tool: { name: debug.echo, args: { text: "{{ input.text }}" } }
    for_each: input.items
    save: { bytes: "size(output) * size(output[0].text)" }
    then: end
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T10 thousands of jobs of which one fails, and what is large");
    let options = BedOptions { sabotage: given.sabotage, io_workers: 2, ..BedOptions::default() };
    let bed = Bed::start(&options, given.rabbit.take()).await?;
    bed.redis.cli(&["config", "set", "slowlog-log-slower-than", &SCRIPT_US_MAX.to_string()])?;
    bed.redis.cli(&["config", "set", "slowlog-max-len", "1000"])?;
    let api = bed.direct_api()?;
    let count = given.pick(400, 10_000);
    let quorum = format!("{{ quorum: {} }}", count - 1);
    for (policy, errors) in [("fail", "fail"), ("collect", "collect"), ("quorum", quorum.as_str())] {
        let began = Instant::now();
        wide(&api, policy, errors, count, &mut report).await?;
        report.count(&format!("milliseconds for {count} jobs, {policy}"), began.elapsed().as_millis().try_into()?);
    }
    large(&api, &mut report).await?;
    slow(&bed.redis, given.full, &mut report)?;
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

async fn wide(api: &Api, policy: &str, errors: &str, count: usize, report: &mut Report) -> anyhow::Result<()> {
    api.apply(&WIDE.replace("POLICY", policy).replace("ERRORS", errors)).await?;
    let items: Vec<usize> = (0..count).collect();
    let input = json!({"items": items, "bad": count / 2});
    let run = api.submitted(&format!("chaos-wide-{policy}"), &input, &format!("wide-{policy}")).await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until(&format!("the end of the run that is wide, {policy}"), Duration::from_secs(300), over).await?;
    let code = ended.failure.as_ref().map(|failure| failure.code.clone());
    let output: Option<Value> = ended.output_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let holds = match policy {
        "fail" => code.as_deref() == Some("broken"),
        _ => output.as_ref().is_some_and(|output| output["ok"] == json!(count - 1)),
    };
    report.expect(holds, format!("I3: {policy}: {code:?} {output:?} of {count} jobs, one of which fails"));
    if policy == "collect" {
        let failed = output.map_or(Value::Null, |output| output["failed"].clone());
        report.expect(failed == json!(1), format!("I3: {failed} of {count} jobs failed, it was one"));
    }
    Ok(())
}

/// A result that lies beside its checkpoint, and an input that is refused at the door.
async fn large(api: &Api, report: &mut Report) -> anyhow::Result<()> {
    api.apply(TEXT).await?;
    let (text, items) = ("0123456789abcdef".repeat(640), (0..LARGE / 10_240).collect::<Vec<_>>());
    let run = api.submitted("chaos-text", &json!({"text": text, "items": items}), "large").await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end of the run with a large result", Duration::from_secs(60), over).await?;
    let wanted = json!({"bytes": LARGE}).to_string();
    let holds = ended.output_json.as_deref() == Some(wanted.as_str());
    report.expect(holds, format!("a result of {LARGE} bytes: {:?} {:?}", ended.output_json, ended.failure));
    let text = "x".repeat(TOO_LARGE);
    let told = api.submit(0, "chaos-text", &json!({"text": text, "items": [1]}), "too-large").await;
    let refused = matches!(&told, Told::Refused { code, .. } if code.ends_with("too_large")) || told == Told::Unknown;
    report.expect(refused, format!("an input of {TOO_LARGE} bytes: {told:?}"));
    // Nobody else notices.
    let run = api.submitted("chaos-text", &json!({"text": "x", "items": [1]}), "small").await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end of a run afterwards", Duration::from_secs(20), over).await?;
    report.expect(ended.failure.is_none(), format!("a run afterwards: {:?}", ended.failure));
    Ok(())
}

/// Scripts that took too long by the store's own account. It counts the time in which other
/// processes had the processor too, so of a quick drill beside other work a few are let pass.
fn slow(redis: &Redis, full: bool, report: &mut Report) -> anyhow::Result<()> {
    let slow: u64 = redis.cli(&["slowlog", "len"])?.trim().parse()?;
    let stats = redis.cli(&["info", "latencystats"])?;
    let scripts = stats.lines().find_map(|line| line.strip_prefix("latency_percentiles_usec_evalsha:"));
    report.notes.push(format!("scripts in microseconds: {}", scripts.unwrap_or("unknown")));
    report.count("commands that took longer than 20 ms", slow.try_into()?);
    let allowed = if full { 20 } else { 5 };
    report.expect(
        slow <= allowed,
        format!("{slow} commands took longer than 20 ms, the last: {}", {
            redis.cli(&["slowlog", "get", "3"])?.chars().take(600).collect::<String>()
        }),
    );
    Ok(())
}
