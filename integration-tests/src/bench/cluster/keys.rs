//! What Redis keeps, by kind of key. Keys of single runs are weighed in a sample of
//! partitions, what a partition has once is weighed in all of them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use baton_testbed::Redis;
use serde::{Deserialize, Serialize};

/// Of so many keys of runs and threads one is weighed.
const SAMPLE: usize = 16;
/// Keys asked for at a time.
const PAGE: usize = 1_000;

/// Letters behind a partition's tag, what they are, and whether runs have one each.
const KINDS: [(&str, &str, bool); 10] = [
    ("t", "threads", true),
    ("x", "checkpoints and pieces", true),
    ("r", "runs", true),
    ("b", "inputs and questions", true),
    ("l", "list of runs", false),
    ("n", "list of questions", false),
    ("e", "events", false),
    ("a", "audit", false),
    ("d", "due entries", false),
    ("c", "clocks", false),
];

/// Keys of a kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KindFigures {
    /// What they are.
    pub kind: String,
    /// Keys for each run.
    pub keys: f64,
    /// Bytes for each run.
    pub bytes: f64,
}

/// Bytes that a server has in use.
///
/// # Errors
/// When it does not answer.
pub(super) fn used(redis: &Redis) -> anyhow::Result<u64> {
    let info = redis.cli(&["info", "memory"])?;
    let line = info.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    Ok(line.context("used_memory")?.parse()?)
}

/// Weighs keys for each of so many runs; what no key accounts for is the server's own table.
///
/// # Errors
/// When the server does not answer.
pub(super) async fn by_kind(redis: &Redis, runs: usize, each: f64) -> anyhow::Result<Vec<KindFigures>> {
    let mut link = redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
    let mut seen: BTreeMap<&str, (usize, usize, u64)> = BTreeMap::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        let (next, keys): (u64, Vec<String>) = scan.arg(cursor).arg("COUNT").arg(PAGE).query_async(&mut link).await?;
        let mut weigh = redis::pipe();
        let mut kinds = Vec::new();
        for key in keys {
            let Some((_, rest)) = key.split_once('}') else { continue };
            let name = rest.split(':').next().unwrap_or_default();
            let Some((_, kind, own)) = KINDS.into_iter().find(|(letter, ..)| *letter == name) else { continue };
            let (count, ..) = seen.entry(kind).or_default();
            *count += 1;
            if !own || *count % SAMPLE == 0 {
                weigh.cmd("MEMORY").arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
                kinds.push(kind);
            }
        }
        let weights: Vec<u64> = if kinds.is_empty() { Vec::new() } else { weigh.query_async(&mut link).await? };
        for (kind, bytes) in kinds.into_iter().zip(weights) {
            let (_, weighed, sum) = seen.entry(kind).or_default();
            *weighed += 1;
            *sum += bytes;
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    let runs = runs as f64;
    let mut all: Vec<KindFigures> = KINDS
        .iter()
        .filter_map(|(_, kind, _)| {
            let (count, weighed, sum) = seen.get(kind)?;
            let mean = *sum as f64 / (*weighed).max(1) as f64;
            let keys = *count as f64 / runs;
            Some(KindFigures { kind: (*kind).to_owned(), keys, bytes: mean * keys })
        })
        .collect();
    let rest = each - all.iter().map(|kind| kind.bytes).sum::<f64>();
    all.push(KindFigures { kind: "the server's table of keys, and rounding".to_owned(), keys: 0.0, bytes: rest });
    Ok(all)
}
