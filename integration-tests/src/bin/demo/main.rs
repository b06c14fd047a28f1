//! `cargo xtask demo cluster`: the digest over Redis, RabbitMQ, two orchestrators and four
//! workers, while somebody kills one of each in the middle of their work and restarts both
//! servers. What is killed when is in `strike`, how it is shown in `timeline`.
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

mod claims;
mod follow;
mod strike;
mod timeline;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_integration_tests::cluster::{Cluster, ClusterOptions, example};
use serde_json::json;

use follow::Follower;
use timeline::Timeline;

const QUESTION: &str = "How long may a ferry wait for late passengers, and who decides?";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("cluster") => cluster().await,
        other => bail!("unknown demo {other:?}: try `cargo xtask demo cluster`"),
    }
}

async fn cluster() -> anyhow::Result<()> {
    let mut timeline = Timeline::new();
    let documents = example("documents")?;
    let options = ClusterOptions {
        orchestrators: 2,
        io_workers: 2,
        cpu_workers: 2,
        file_roots: vec![documents.clone()],
        ..ClusterOptions::default()
    };
    timeline.note("starting Redis and RabbitMQ");
    let mut cluster = Cluster::start(&options).await?;
    timeline.note("starting 2 orchestrators, 2 io workers, 2 cpu workers");
    cluster.run_all().await?;
    let mut workers = strike::workers(&cluster).await?;
    let source = std::fs::read_to_string(example("digest.yaml")?)?;
    let graph = cluster.client.apply(&source, &includes(&source)?).await?;
    let input = json!({"folder": documents.display().to_string(), "question": QUESTION});
    let run = cluster.client.submit(&graph, &input, "demo").await?;
    let submitted = Instant::now();
    timeline.note(format!("submitted {graph} as run {run}"));
    let follower = Follower::start(cluster.client.clone(), run.clone());
    let interrupted = strike::disturb(&mut cluster, &workers, &follower, &mut timeline).await?;
    let asking = cluster.client.settled(&run, Duration::from_secs(180)).await?;
    if asking.asks.is_empty() {
        bail!("run {run} did not ask for approval: {asking:?}\n{}", cluster.logs());
    }
    timeline.note(format!("node {} asks for approval; approving", asking.asks.join(", ")));
    workers.extend(strike::workers(&cluster).await?);
    cluster.client.answer(&run, "approve", &json!({"action": "approve"})).await?;
    let ended = cluster.client.settled(&run, Duration::from_secs(120)).await?;
    timeline.note(format!("run {} after {:.1} s", ended.status, submitted.elapsed().as_secs_f64()));
    let report = ended.output.as_ref().and_then(|output| output["report"].as_str()).unwrap_or_default().to_owned();
    println!("\n{report}\n");
    let events = cluster.client.events(&run).await?;
    timeline.print_nodes(&events);
    let again = timeline::print_interrupted(&events, &interrupted, &workers);
    check(&ended.status, &report, again == interrupted.len())
}

fn check(status: &str, report: &str, all_claimed_again: bool) -> anyhow::Result<()> {
    if status != "succeeded" {
        bail!("the run {status}");
    }
    if ![".pdf", ".md", ".html", ".txt"].iter().any(|ending| report.contains(ending)) {
        bail!("the report cites no document");
    }
    if !all_claimed_again {
        bail!("a job that was interrupted was not claimed again");
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
