//! Fan-out and join: one run whose node has a job for each item of a list, all at once, from
//! its submit to its end; and the longest script of the store meanwhile.

use std::time::Instant;

use anyhow::Context as _;
use baton_testbed::Redis;
use serde::{Deserialize, Serialize};

use super::super::report::quantile;
use super::graphs::{fan, fan_input, fan_name};
use super::ground::{Ground, Setting};
use super::load::{User, succeeded};

/// Items, and what the whole may take in milliseconds where that is said.
const SIZES: [(usize, Option<f64>); 3] = [(100, Some(40.0)), (1_000, None), (10_000, None)];

/// One line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FanOutFigures {
    /// Jobs, all of them at once.
    pub items: usize,
    /// From the submit to the end: the median, in milliseconds.
    pub p50_ms: f64,
    /// The fastest.
    pub least_ms: f64,
    /// The slowest.
    pub most_ms: f64,
    /// Runs that were measured.
    pub runs: usize,
    /// The longest that one command kept the store from others, in milliseconds.
    pub longest_script_ms: f64,
    /// Whether the bar is met; nothing where there is none.
    pub met: Option<bool>,
}

/// # Errors
/// When a server does not come up, or a run fails.
pub(super) async fn measure(rounds: usize) -> anyhow::Result<Vec<FanOutFigures>> {
    let ground = Ground::start(Setting::Everysec, &["--slowlog-log-slower-than", "200", "--slowlog-max-len", "4096"]);
    let ground = ground.await?;
    let user = User::new(&ground.address())?;
    let mut all = Vec::new();
    for (items, bar) in SIZES {
        super::progress(&format!("fan-out: {items}"));
        user.apply(&fan(items)).await?;
        // Wide ones take long and vary little.
        let rounds = if items >= 10_000 { rounds.div_ceil(4) } else { rounds };
        let (name, given) = (fan_name(items), fan_input(items));
        let mut took = Vec::new();
        for round in 0..=rounds {
            if round == 1 {
                ground.cluster.redis.cli(&["slowlog", "reset"])?;
            }
            let began = Instant::now();
            let run = user.submit(&name, &given).await?;
            succeeded(&ground.store, run).await?;
            // The first one warms.
            if round > 0 {
                took.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        let p50_ms = quantile(&took, 0.5);
        all.push(FanOutFigures {
            items,
            p50_ms,
            least_ms: quantile(&took, 0.0),
            most_ms: quantile(&took, 1.0),
            runs: took.len(),
            longest_script_ms: longest_ms(&ground.cluster.redis).await?,
            met: bar.map(|bar| p50_ms <= bar),
        });
    }
    Ok(all)
}

/// The longest command of the slow log; nothing below its threshold of 0.2 ms is in it.
async fn longest_ms(redis: &Redis) -> anyhow::Result<f64> {
    let mut link = redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
    let entries: Vec<redis::Value> = redis::cmd("SLOWLOG").arg("GET").arg(4_096).query_async(&mut link).await?;
    let micros = entries.into_iter().map(|entry| {
        let fields: Vec<redis::Value> = redis::from_redis_value(entry).context("an entry of the slow log")?;
        let took = fields.into_iter().nth(2).context("its duration")?;
        redis::from_redis_value::<u64>(took).context("its duration")
    });
    let most = micros.collect::<anyhow::Result<Vec<u64>>>()?.into_iter().max();
    Ok(most.unwrap_or(0) as f64 / 1_000.0)
}
