//! How an embedded cluster is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_common::settings::Timings;
use baton_orchestrator::Settings;
use baton_store::Store;
use baton_worker::config::{FileConfig, ToolSwitches};
use baton_worker::settings::cores;

/// Deaths of the process during a job after which the job fails as poison. In a cluster
/// three lost workers tell of a job that kills them; here whoever presses Ctrl-C twice or
/// restarts the machine ends every job under way, and is no sign against any of them. Still
/// bounded, so that a job which really ends the process does not do so for ever.
pub const DEATHS_MAX: u32 = 8;

/// The pause after the first such death; it doubles. Short, because the folder's lock has
/// shown that the process is gone: the longest is 3.2 s.
const DEATH_BACKOFF_MS: u64 = 50;

/// Options of an embedded cluster; the default keeps everything in memory.
#[derive(Clone)]
pub struct Options {
    /// Where store, blobs and spools lie; in memory without one.
    pub data_dir: Option<PathBuf>,
    /// A store that is there already, in place of the folder's.
    pub store: Option<Arc<dyn Store>>,
    /// The worker's part of `baton.toml`: routes, webhooks, egress, file roots.
    pub config: FileConfig,
    /// What flags and environment add to it: file roots, debug tools.
    pub switches: ToolSwitches,
    /// Secrets that graphs may name: `env:NAME` or `file:PATH` by name.
    pub secrets: BTreeMap<String, String>,
    /// Seals permits and tokens; see [`Settings::cluster_secret`].
    pub cluster_secret: Option<String>,
    /// Jobs the io worker runs at once.
    pub io_slots: usize,
    /// Jobs the cpu worker runs at once, and its threads.
    pub cpu_slots: usize,
    /// Threads that compute steps.
    pub compute_threads: usize,
    /// How long a stop waits for jobs, in milliseconds.
    pub grace_ms: u64,
    /// How often blobs that nothing refers to are removed, and archives whose time is over, in
    /// milliseconds; 0: never.
    pub blob_sweep_ms: u64,
    /// How long what is written down of removed runs is kept, in milliseconds; 0: nothing is
    /// written down.
    pub archive_ms: u64,
    /// Timings of the hand-over. Their default differs from a cluster's where a worker is
    /// lost: see [`DEATHS_MAX`].
    pub timings: Timings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            store: None,
            config: FileConfig::default(),
            switches: ToolSwitches::default(),
            secrets: BTreeMap::new(),
            cluster_secret: None,
            io_slots: 64,
            cpu_slots: cores(),
            compute_threads: 2,
            grace_ms: 5_000,
            blob_sweep_ms: 0,
            archive_ms: 0,
            timings: Timings {
                infra_attempts_max: DEATHS_MAX,
                infra_backoff_ms: DEATH_BACKOFF_MS,
                ..Timings::default()
            },
        }
    }
}

impl Options {
    /// What the orchestrator is told: alone with its store, and with a broker that forgets.
    pub(crate) fn orchestrator(&self) -> Settings {
        Settings {
            timings: self.timings.clone(),
            replica: format!("embedded-{}", std::process::id()),
            lease_partitions: false,
            broker_forgets: true,
            grace_ms: self.grace_ms,
            blob_sweep_ms: self.blob_sweep_ms,
            archive_ms: self.archive_ms,
            cluster_secret: self.cluster_secret.clone(),
            secrets: self.secrets.clone(),
            ..Settings::default()
        }
    }
}
