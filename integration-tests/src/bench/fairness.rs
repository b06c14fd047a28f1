//! What one tenant notices of another's flood: the time from submit to result of small io
//! jobs, alone and beside a backlog of many thousand jobs, on real servers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use baton_common::{RunId, TenantId};
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, SubmitRequest};
use baton_orchestrator::{Orchestrator, Settings};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::bed::{Bed, Kind};
use super::planes::Planes;

/// Jobs of one run of the flood.
const RUN_JOBS: usize = 1_000;
/// Between two runs of the tenant that is measured.
const EVERY: Duration = Duration::from_millis(100);

const SMALL: &str = "
baton: 1
graph: small
input: { ms: integer }
output: { done: state.done }
state: { done: { type: boolean, default: false } }
start: a
nodes:
  a: { tool: { name: debug.sleep, args: { ms: '{{ input.ms }}' } }, save: { done: 'true' }, then: end }
";

const FLOOD: &str = "
baton: 1
graph: flood
input: { ms: integer, items: array }
output: { done: state.done }
state: { done: { type: integer, default: 0 } }
start: a
nodes:
  a:
    tool: { name: debug.sleep, args: { ms: '{{ input.ms }}' } }
    for_each: input.items
    max_parallel: 10000
    timeout: 1h
    save: { done: size(output) }
    then: end
";

/// What is measured.
#[derive(Debug, Clone)]
pub struct FairnessPlan {
    /// Jobs of the flood.
    pub jobs: usize,
    /// How long each job takes, in milliseconds.
    pub ms: u64,
    /// How long is measured without the flood.
    pub alone: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct FairnessFigures {
    /// Jobs of the flood.
    pub jobs: usize,
    /// How long each job takes by itself, in milliseconds.
    pub ms: u64,
    /// Submit to result without the flood, in milliseconds: half of them, and all but one in a hundred.
    pub alone_ms: (f64, f64),
    /// The same beside the flood.
    pub flooded_ms: (f64, f64),
    /// The second figure of the one by that of the other.
    pub ratio: f64,
    /// Runs that were measured beside the flood.
    pub measured: usize,
    /// When those of them began that took longest, one in a hundred: seconds after the flood did.
    pub slowest_began_s: Vec<f64>,
    /// Jobs of the flood per second meanwhile.
    pub flood_per_second: f64,
}

/// Measures on Redis and RabbitMQ.
///
/// # Errors
/// When a server is missing, or a run does not end well.
pub async fn measure_fairness(plan: &FairnessPlan) -> anyhow::Result<FairnessFigures> {
    let (bed, _other) = Bed::pair(Kind::Servers).await?;
    let planes = Planes::start(bed.store.clone(), bed.broker.clone(), Settings::default()).await?;
    let orchestrator = planes.orchestrator.clone();
    let caller = |name: &str| anyhow::Ok(Caller { tenant: TenantId::parse(name)?, ..Caller::local() });
    let (victim, flooder) = (caller("victim")?, caller("flooder")?);
    apply(&orchestrator, &victim, SMALL).await?;
    apply(&orchestrator, &flooder, FLOOD).await?;
    // Warm: connections, graphs, programs.
    for _ in 0..20 {
        timed(&orchestrator, &victim, plan.ms).await?;
    }
    let alone = measured(&orchestrator, &victim, plan.ms, Until::Time(plan.alone)).await?;
    let began = Instant::now();
    let mut flood = JoinSet::new();
    for _ in 0..plan.jobs.div_ceil(RUN_JOBS) {
        let input = json!({"ms": plan.ms, "items": (0..RUN_JOBS).collect::<Vec<_>>()});
        let run = submit(&orchestrator, &flooder, "flood", input).await?;
        let (orchestrator, flooder) = (orchestrator.clone(), flooder.clone());
        flood.spawn(async move { ended(&orchestrator, &flooder, run).await });
    }
    let over = Arc::new(tokio::sync::Notify::new());
    let told = over.clone();
    let flooding = tokio::spawn(async move {
        let mut outcome = Ok(());
        while let Some(ended) = flood.join_next().await {
            outcome = outcome.and(ended.context("a run of the flood").and_then(|ended| ended));
        }
        told.notify_one();
        outcome
    });
    let flooded = measured(&orchestrator, &victim, plan.ms, Until::Told(over)).await?;
    flooding.await??;
    let flood_per_second = plan.jobs as f64 / began.elapsed().as_secs_f64();
    planes.stop().await?;
    let (alone_ms, flooded_ms) = (quantiles(&alone), quantiles(&flooded));
    Ok(FairnessFigures {
        jobs: plan.jobs,
        ms: plan.ms,
        alone_ms,
        flooded_ms,
        ratio: flooded_ms.1 / alone_ms.1,
        measured: flooded.len(),
        slowest_began_s: slowest_began(&flooded),
        flood_per_second,
    })
}

/// The figures for people.
#[must_use]
pub fn fairness_table(figures: &FairnessFigures) -> String {
    let FairnessFigures { jobs, ms, alone_ms, flooded_ms, ratio, measured, slowest_began_s, flood_per_second } =
        figures;
    let mut text = format!("one tenant's jobs of {ms} ms beside another's flood of {jobs}\n\n");
    let _ = writeln!(text, "{:<10}{:>12}{:>12}", "ms", "p50", "p99");
    let _ = writeln!(text, "{:<10}{:>12.1}{:>12.1}", "alone", alone_ms.0, alone_ms.1);
    let _ = writeln!(text, "{:<10}{:>12.1}{:>12.1}", "flooded", flooded_ms.0, flooded_ms.1);
    let _ = writeln!(text, "\np99 ratio {ratio:.2} over {measured} runs; the flood made {flood_per_second:.0} jobs/s");
    let slowest: Vec<String> = slowest_began_s.iter().map(|second| format!("{second:.1}")).collect();
    let _ = writeln!(text, "the slowest began {} s after the flood", slowest.join(", "));
    text
}

enum Until {
    Time(Duration),
    Told(Arc<tokio::sync::Notify>),
}

async fn apply(orchestrator: &Orchestrator, caller: &Caller, text: &str) -> anyhow::Result<()> {
    let source = GraphSource { text: text.to_owned(), name: "fairness.yaml".to_owned(), ..GraphSource::default() };
    orchestrator.apply_graph(caller, source).await?;
    Ok(())
}

async fn submit(orchestrator: &Orchestrator, caller: &Caller, graph: &str, input: Value) -> anyhow::Result<RunId> {
    let request = SubmitRequest {
        graph: GraphRef::Name(graph.to_owned()),
        input,
        request_id: None,
        thread: None,
        traceparent: None,
        record: false,
    };
    Ok(orchestrator.submit(caller, request).await?.run)
}

async fn ended(orchestrator: &Orchestrator, caller: &Caller, run: RunId) -> anyhow::Result<()> {
    let mut events = orchestrator.watch(caller, run, 0).await?;
    while let Some(event) = events.next().await {
        event?;
    }
    let view = orchestrator.get(caller, run).await?;
    anyhow::ensure!(view.failure.is_none() && view.output.is_some(), "run {run}: {:?}", view.failure);
    Ok(())
}

async fn timed(orchestrator: &Orchestrator, caller: &Caller, ms: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let run = submit(orchestrator, caller, "small", json!({"ms": ms})).await?;
    ended(orchestrator, caller, run).await?;
    Ok(began.elapsed())
}

/// One run after another begins, at a steady pace, whatever becomes of those before: how long
/// each took, the quickest first, and when it began.
async fn measured(
    orchestrator: &Orchestrator,
    caller: &Caller,
    ms: u64,
    until: Until,
) -> anyhow::Result<Vec<(Duration, Duration)>> {
    let beginning = Instant::now();
    let mut runs = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    let over = async {
        match until {
            Until::Time(time) => tokio::time::sleep(time).await,
            Until::Told(told) => told.notified().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            _ = ticks.tick() => {
                let (orchestrator, caller) = (orchestrator.clone(), caller.clone());
                let began = beginning.elapsed();
                runs.spawn(async move { anyhow::Ok((timed(&orchestrator, &caller, ms).await?, began)) });
            }
        }
    }
    let mut times = Vec::new();
    while let Some(timed) = runs.join_next().await {
        times.push(timed??);
    }
    times.sort();
    Ok(times)
}

/// The middle, and all but one in a hundred, in milliseconds.
fn quantiles(sorted: &[(Duration, Duration)]) -> (f64, f64) {
    let at = |part: usize| {
        let place = (sorted.len() * part / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(0.0, |(time, _)| time.as_secs_f64() * 1_000.0)
    };
    (at(50), at(99))
}

/// When the slowest hundredth began, in seconds.
fn slowest_began(sorted: &[(Duration, Duration)]) -> Vec<f64> {
    let mut began: Vec<Duration> =
        sorted.iter().rev().take(sorted.len().div_ceil(100)).map(|(_, began)| *began).collect();
    began.sort();
    began.iter().map(Duration::as_secs_f64).collect()
}
