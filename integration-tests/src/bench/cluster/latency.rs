//! Latency at a share of the capacity, as a user has it: from the moment a run was meant to be
//! submitted until its end is told by a watch. Arrivals follow a schedule and wait for nobody
//! (an open loop), so that a stall is in the figures of all who would have come meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::super::report::quantile;
use super::graphs::{SINGLE, single, single_input};
use super::ground::{Ground, Setting};
use super::load::User;
use super::machine::Fsync;

/// Users who find the capacity, each with one run at a time.
const USERS: usize = 64;
/// Percents of the capacity.
const SHARES: [u32; 3] = [10, 50, 90];
/// The seed of the arrivals.
const SEED: u64 = 4;

/// One line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LatencyFigures {
    /// `classic, everysec` or `quorum, always`.
    pub setting: String,
    /// Runs of one step that 64 users with a watch each bring to their end in a second.
    pub capacity_runs_s: f64,
    /// Percent of that which arrives.
    pub percent: u32,
    /// Runs that arrived in a second.
    pub offered_runs_s: f64,
    /// Runs that were measured.
    pub runs: usize,
    /// From the intended submit to the end told: half of the runs, in milliseconds.
    pub p50_ms: f64,
    /// 95 of a hundred.
    pub p95_ms: f64,
    /// 99 of a hundred.
    pub p99_ms: f64,
    /// The disk under Redis, where answers wait for it.
    pub fsync: Option<Fsync>,
}

/// Finds the capacity, then offers shares of it.
///
/// # Errors
/// When a server does not come up, or a run fails.
pub(super) async fn measure(settings: &[Setting], during: Duration) -> anyhow::Result<Vec<LatencyFigures>> {
    let mut all = Vec::new();
    for &setting in settings {
        super::progress(&format!("latency: {}", setting.name()));
        let ground = Ground::start(setting, &[]).await?;
        let user = User::new(&ground.address())?;
        user.apply(&single()).await?;
        closed_loop(&user, during / 4).await?;
        let capacity = closed_loop(&user, during / 2).await?;
        for percent in SHARES {
            let before = ground.fsync()?;
            let rate = capacity * f64::from(percent) / 100.0;
            let took = open_loop(&user, rate, during).await?;
            let after = ground.fsync()?;
            all.push(LatencyFigures {
                setting: setting.name().to_owned(),
                capacity_runs_s: capacity,
                percent,
                offered_runs_s: rate,
                runs: took.len(),
                p50_ms: quantile(&took, 0.5),
                p95_ms: quantile(&took, 0.95),
                p99_ms: quantile(&took, 0.99),
                fsync: before.zip(after).map(|(before, after)| Fsync {
                    p50_ms: (before.p50_ms + after.p50_ms) / 2.0,
                    p99_ms: before.p99_ms.max(after.p99_ms),
                }),
            });
        }
    }
    Ok(all)
}

async fn one(user: &User) -> anyhow::Result<()> {
    let run = user.submit(SINGLE, &single_input()).await?;
    user.ended(run).await
}

/// Runs per second where each user begins the next when the last has ended.
async fn closed_loop(user: &User, during: Duration) -> anyhow::Result<f64> {
    let (began, ended) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut users = JoinSet::new();
    for _ in 0..USERS {
        let (user, ended) = (user.clone(), ended.clone());
        users.spawn(async move {
            while began.elapsed() < during {
                one(&user).await?;
                // Those that end later are not in the time.
                if began.elapsed() < during {
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(user) = users.join_next().await {
        user??;
    }
    Ok(ended.load(Ordering::Relaxed) as f64 / during.as_secs_f64())
}

/// Submits at moments drawn beforehand, whatever became of the runs before; what each took
/// from its moment, in milliseconds.
async fn open_loop(user: &User, rate: f64, during: Duration) -> anyhow::Result<Vec<f64>> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut runs = JoinSet::new();
    let began = Instant::now() + Duration::from_millis(50);
    let mut at = Duration::ZERO;
    loop {
        // Gaps between independent arrivals are exponential.
        let gap = -(1.0 - rng.random::<f64>()).ln() / rate.max(1.0);
        at += Duration::from_secs_f64(gap);
        if at > during {
            break;
        }
        let (user, intended) = (user.clone(), began + at);
        tokio::time::sleep_until(intended.into()).await;
        runs.spawn(async move {
            one(&user).await?;
            anyhow::Ok(intended.elapsed().as_secs_f64() * 1_000.0)
        });
    }
    let mut took = Vec::new();
    while let Some(run) = runs.join_next().await {
        took.push(run??);
    }
    Ok(took)
}
