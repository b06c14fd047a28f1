//! The first run of fresh processes against their third: what a start costs the first user.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::graph::{GRAPH, input};
use super::super::report::quantile;
use super::ground::{Ground, Setting};
use super::load::{User, succeeded};

/// Turns of each run.
const TURNS: usize = 20;
/// The third is compared with the first.
const RUNS: usize = 3;

/// The figures: medians over starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WarmFigures {
    /// Turns of each run.
    pub turns: usize,
    /// Times that orchestrator and worker were started anew.
    pub starts: usize,
    /// The first run after a start, in milliseconds.
    pub first_ms: f64,
    /// The third.
    pub third_ms: f64,
    /// Third over first.
    pub ratio: f64,
}

/// # Errors
/// When a server does not come up, or a run fails.
pub(super) async fn measure(starts: usize) -> anyhow::Result<WarmFigures> {
    super::progress("the third run against the first");
    let mut ground = Ground::start(Setting::Everysec, &[]).await?;
    User::new(&ground.address())?.apply(GRAPH).await?;
    let (mut first, mut third) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        restart(&mut ground).await?;
        let user = User::new(&ground.address())?;
        let mut took = Vec::new();
        for _ in 0..RUNS {
            let began = Instant::now();
            let run = user.submit("loop", &input(TURNS)).await?;
            succeeded(&ground.store, run).await?;
            took.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        first.extend(took.first());
        third.extend(took.last());
    }
    let (first_ms, third_ms) = (quantile(&first, 0.5), quantile(&third, 0.5));
    Ok(WarmFigures { turns: TURNS, starts, first_ms, third_ms, ratio: third_ms / first_ms })
}

/// Ends both processes, starts them again and waits until a worker of the new ones is there.
async fn restart(ground: &mut Ground) -> anyhow::Result<()> {
    let known = ground.cluster.client.worker_places().await?;
    let cluster = &mut ground.cluster;
    cluster.orchestrators.iter_mut().chain(&mut cluster.workers).for_each(crate::cluster::Process::kill);
    for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
        process.start()?;
    }
    let began = Instant::now();
    while !ground.cluster.client.worker_places().await?.iter().any(|place| !known.contains(place)) {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(60), "no worker came\n{}", ground.cluster.logs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
