//! `cargo xtask demo cluster`: the digest over Redis, RabbitMQ, two orchestrators and four
//! workers, while somebody kills one of each and restarts both servers.
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_integration_tests::cluster::{Cluster, ClusterOptions, example};
use baton_integration_tests::grpc::Happened;
use rand::Rng as _;
use serde_json::json;

const QUESTION: &str = "How long may a ferry wait for late passengers, and who decides?";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("cluster") => cluster().await,
        other => bail!("unknown demo {other:?}: try `cargo xtask demo cluster`"),
    }
}

/// What this program did, beside what the run tells of itself.
struct Timeline {
    started: Instant,
    lines: Vec<(u128, String)>,
}

impl Timeline {
    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        let at = self.started.elapsed().as_millis();
        println!("{at:>7} ms  {text}");
        self.lines.push((at, text));
    }
}

async fn cluster() -> anyhow::Result<()> {
    let mut timeline = Timeline { started: Instant::now(), lines: Vec::new() };
    let documents = example("documents")?;
    let options = ClusterOptions {
        orchestrators: 2,
        io_workers: 2,
        cpu_workers: 2,
        file_roots: vec![documents.clone()],
        hurry: 10,
        queue_type: "classic".to_owned(),
    };
    timeline.note("starting Redis and RabbitMQ");
    let mut cluster = Cluster::start(&options).await?;
    timeline.note("starting 2 orchestrators, 2 io workers, 2 cpu workers");
    cluster.run_all().await?;
    let source = std::fs::read_to_string(example("digest.yaml")?)?;
    let graph = cluster.client.apply(&source, &includes(&source)?).await?;
    let input = json!({"folder": documents.display().to_string(), "question": QUESTION});
    let run = cluster.client.submit(&graph, &input, "demo").await?;
    let submitted = Instant::now();
    timeline.note(format!("submitted {graph} as run {run}"));
    disturb(&mut cluster, &mut timeline).await?;
    let asking = cluster.client.settled(&run, Duration::from_secs(180)).await?;
    if asking.asks.is_empty() {
        bail!("run {run} did not ask for approval: {asking:?}\n{}", cluster.logs());
    }
    timeline.note(format!("node {} asks for approval; approving", asking.asks.join(", ")));
    cluster.client.answer(&run, "approve", &json!({"action": "approve"})).await?;
    let ended = cluster.client.settled(&run, Duration::from_secs(120)).await?;
    timeline.note(format!("run {} after {:.1} s", ended.status, submitted.elapsed().as_secs_f64()));
    let report = ended.output.as_ref().and_then(|output| output["report"].as_str()).unwrap_or_default().to_owned();
    println!("\n{report}\n");
    print_nodes(&cluster.client.events(&run).await?);
    check(&ended.status, &report)
}

/// Kills one orchestrator and one worker at random moments and restarts both servers.
async fn disturb(cluster: &mut Cluster, timeline: &mut Timeline) -> anyhow::Result<()> {
    let pause = || Duration::from_millis(rand::rng().random_range(5..60));
    tokio::time::sleep(pause()).await;
    let victim = rand::rng().random_range(0..cluster.orchestrators.len());
    cluster.orchestrators[victim].kill();
    timeline.note(format!("killed -9 {}", cluster.orchestrators[victim].name));
    tokio::time::sleep(pause()).await;
    let worker = rand::rng().random_range(0..cluster.workers.len());
    cluster.workers[worker].kill();
    timeline.note(format!("killed -9 {}", cluster.workers[worker].name));
    tokio::time::sleep(pause()).await;
    cluster.redis.kill();
    cluster.redis.restart()?;
    timeline.note("restarted Redis");
    tokio::time::sleep(pause()).await;
    cluster.rabbit.kill();
    timeline.note("killed RabbitMQ");
    cluster.rabbit.restart()?;
    timeline.note("RabbitMQ is back");
    cluster.orchestrators[victim].start()?;
    cluster.workers[worker].start()?;
    timeline.note("started both again");
    Ok(())
}

/// What each node took, as a bar on one scale.
fn print_nodes(events: &[Happened]) {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
    let span = (last.at_ms - first.at_ms).max(1);
    let mut groups: Vec<&str> = events.iter().map(|event| event.group.as_str()).filter(|it| !it.is_empty()).collect();
    groups.dedup();
    let mut shown: Vec<&str> = Vec::new();
    for group in groups {
        if shown.contains(&group) {
            continue;
        }
        shown.push(group);
        let of = |kind: &'static str| events.iter().filter(move |event| event.group == group && event.kind == kind);
        let begin = of("opened").map(|event| event.at_ms).next().unwrap_or(first.at_ms) - first.at_ms;
        let end = of("closed").map(|event| event.at_ms).next().unwrap_or(last.at_ms) - first.at_ms;
        let column = |ms: i64| usize::try_from(ms * 50 / span).unwrap_or(0);
        let bar = format!("{}{}", " ".repeat(column(begin)), "█".repeat((column(end) - column(begin)).max(1)));
        let lost = of("lease_expired").count();
        let lost = if lost > 0 { format!(", {lost} leases expired") } else { String::new() };
        println!("{group:<12} {bar:<52} {:>6} ms, {} claims{lost}", end - begin, of("claimed").count());
    }
    println!();
}

fn check(status: &str, report: &str) -> anyhow::Result<()> {
    if status != "succeeded" {
        bail!("the run {status}");
    }
    if !report.contains(".pdf") && !report.contains(".md") && !report.contains(".html") && !report.contains(".txt") {
        bail!("the report cites no document");
    }
    println!("the report answers and cites its documents");
    Ok(())
}

/// The texts that a graph names with `file:`.
fn includes(source: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for line in source.lines() {
        let Some((_, rest)) = line.split_once("{ file: ") else { continue };
        let path = rest.split([' ', '}']).next().context("a path")?;
        found.push((path.to_owned(), std::fs::read_to_string(example(path)?)?));
    }
    Ok(found)
}
