//! What traces cost: steps per second of a cluster that sends spans of a tenth of its runs to a
//! collector on this machine, and of one that sends none, in alternating rounds.

use std::time::{Duration, Instant};

use baton_testbed::Collector;
use serde::{Deserialize, Serialize};

use super::super::graph::{GRAPH, input};
use super::super::report::quantile;
use super::ground::{Ground, Setting};
use super::load::{User, advances};

/// Runs at once.
const RUNS: usize = 256;
/// The share of runs that spans are kept of.
const SHARE: &str = "0.1";
/// More turns than any round has.
const TURNS: usize = 90_000;
/// What traces may cost of the throughput.
const COST_MAX: f64 = 0.05;

/// The figures: medians of rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TracingFigures {
    /// Runs at once.
    pub runs: usize,
    /// The share of runs that spans are kept of.
    pub share: f64,
    /// Steps per second without a collector.
    pub off_steps_s: f64,
    /// Steps per second with one.
    pub on_steps_s: f64,
    /// With over without, of each round.
    pub ratios: Vec<f64>,
    /// What traces cost: 1 less the median ratio.
    pub cost: f64,
    /// Whether that is at most a twentieth.
    pub met: bool,
}

/// One cluster and who uses it.
struct Side {
    ground: Ground,
    user: User,
}

impl Side {
    async fn start(told: &[(&str, &str)]) -> anyhow::Result<Self> {
        let ground = Ground::told(Setting::Everysec, &[], told).await?;
        let user = User::new(&ground.address())?;
        user.apply(GRAPH).await?;
        Ok(Self { ground, user })
    }

    async fn rate(&self, round: Duration) -> anyhow::Result<f64> {
        let store = &self.ground.store;
        let own = self.user.submit_many("loop", (0..RUNS).map(|_| input(TURNS))).await?;
        tokio::time::sleep(round / 3).await;
        let (before, began) = (advances(store, &own).await?, Instant::now());
        tokio::time::sleep(round).await;
        let rate = (advances(store, &own).await? - before) as f64 / began.elapsed().as_secs_f64();
        self.user.cancel_all(store, &own).await?;
        Ok(rate)
    }
}

/// # Errors
/// When a server does not come up, or something is not answered as it should.
pub(super) async fn measure(round: Duration, rounds: usize) -> anyhow::Result<TracingFigures> {
    super::progress("with and without traces");
    let collector = Collector::start(false)?;
    let endpoint = collector.endpoint();
    let off = Side::start(&[]).await?;
    let on = Side::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("BATON_TRACE_RATIO", SHARE)]).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        // Whoever comes second finds a warmer machine: they take turns.
        if number % 2 == 0 {
            without.push(off.rate(round).await?);
            with.push(on.rate(round).await?);
        } else {
            with.push(on.rate(round).await?);
            without.push(off.rate(round).await?);
        }
    }
    let ratios: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with / without).collect();
    let cost = 1.0 - quantile(&ratios, 0.5);
    Ok(TracingFigures {
        runs: RUNS,
        share: SHARE.parse()?,
        off_steps_s: quantile(&without, 0.5),
        on_steps_s: quantile(&with, 0.5),
        ratios,
        cost,
        met: cost <= COST_MAX,
    })
}
