//! What the machine does while something is measured: how long its disk takes to sync, what
//! processes compute and how much of them is resident.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::report::quantile;

/// Syncs in a probe of the disk.
const SYNCS: usize = 200;
/// A probe of a slow disk ends after this long.
const PROBE_MAX: Duration = Duration::from_secs(2);

/// How long a sync of 4 KiB took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Fsync {
    /// Half of them took at most so many milliseconds.
    pub p50_ms: f64,
    /// 99 of a hundred.
    pub p99_ms: f64,
}

impl Fsync {
    /// Measures the disk beneath that folder, as a log is written: appended, then synced.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(super) fn measure(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("fsync-probe");
        let mut file = File::create(&path)?;
        let (began, mut took) = (Instant::now(), Vec::new());
        while took.len() < SYNCS && began.elapsed() < PROBE_MAX {
            let begin = Instant::now();
            file.write_all(&[7; 4_096])?;
            file.sync_data()?;
            took.push(begin.elapsed().as_secs_f64() * 1_000.0);
        }
        std::fs::remove_file(path)?;
        Ok(Self { p50_ms: quantile(&took, 0.5), p99_ms: quantile(&took, 0.99) })
    }
}

/// Versions of everything that takes part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Versions {
    /// Baton's.
    pub baton: String,
    /// The store's server.
    pub redis: String,
    /// The broker's server.
    pub rabbitmq: String,
}

impl Versions {
    pub(super) fn here(rabbitmq: String) -> Self {
        let said = Command::new("redis-server").arg("--version").output();
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let redis = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("unknown");
        Self { baton: env!("CARGO_PKG_VERSION").to_owned(), redis: redis.to_owned(), rabbitmq }
    }
}

/// Seconds of a core that a process has used so far, to the hundredth.
pub(super) fn cpu_seconds(pid: Option<u32>) -> f64 {
    let stat = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()).unwrap_or_default();
    // The name before may hold spaces; times are counted in hundredths on Linux.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Bytes of a process that are resident: all, and those that are its own memory.
pub(super) fn resident(pid: Option<u32>) -> (u64, u64) {
    let status = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok()).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap_or(0) * 1_024
    };
    (of("VmRSS:"), of("RssAnon:"))
}
