//! What an orchestrator is told at its start. Where the values come from is up to `main`.

use std::collections::BTreeMap;

use baton_common::settings::Timings;

/// The version of records that this program writes, and the latest it reads.
pub const READER: u32 = 1;

/// Settings of one orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timings of the hand-over; the store must have the same.
    pub timings: Timings,
    /// Names this process in partition leases.
    pub replica: String,
    /// Whether the sweeper runs. Off only in tests and where another process sweeps.
    pub sweep: bool,
    /// Whether partitions are leased, so that replicas share the sweeping. One process alone needs none.
    pub lease_partitions: bool,
    /// Whether the broker forgets everything with this process, as the in-process one does:
    /// what an earlier process dispatched is then published again at the start.
    pub broker_forgets: bool,
    /// Runs that are advanced at once.
    pub advances_max: usize,
    /// Due entries that are handled at once.
    pub sweeps_max: usize,
    /// How often blobs that nothing refers to are deleted, in milliseconds; 0 is never.
    pub blob_sweep_ms: u64,
    /// Blobs younger than this are not deleted, in milliseconds; at least two hours.
    pub blob_grace_ms: u64,
    /// How long what is written down of removed runs is kept, in milliseconds; 0: nothing is
    /// written down.
    pub archive_ms: u64,
    /// Due entries taken from a partition at a time.
    pub due_page: u32,
    /// Runs that a tenant watches at once.
    pub watches_max: usize,
    /// No more runs are taken while the store uses so much of its room, in percent; 0 takes all.
    pub admission_fill_percent: u8,
    /// No more runs are taken while more jobs than this wait for workers; 0 takes all.
    pub backlog_max: u64,
    /// Messages of a tenant that may wait in the lane that all tenants share, in each queue:
    /// those beyond wait in the lanes beside it.
    pub lane_share: usize,
    /// How long a stop waits for what is under way, in milliseconds.
    pub grace_ms: u64,
    /// A gRPC connection is asked to end after this long, in milliseconds, so that clients spread over
    /// replicas that came later; calls under way go on. 0 lets it stay.
    pub connection_age_ms: u64,
    /// Workers announce themselves this often, in milliseconds.
    pub announce_ms: u64,
    /// Seals permits and tokens. Without one it is made from the store's name, which keeps
    /// honest processes apart and stops nobody else.
    pub cluster_secret: Option<String>,
    /// Secrets that graphs may name: `env:NAME` or `file:PATH` by name.
    pub secrets: BTreeMap<String, String>,
    /// Seeds jitter, and with `seeded_ids` the ids of runs and threads that the caller does not name.
    pub seed: u64,
    /// Which version of records this program reads. Runs it submits say so, and runs of a later
    /// one are left to those who can advance them. Other than [`READER`] only in drills.
    pub reader: u32,
    /// Whether made-up ids come from the seed, for the simulator. Never where two processes share a store.
    pub seeded_ids: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timings: Timings::default(),
            replica: "orchestrator".to_owned(),
            sweep: true,
            lease_partitions: true,
            broker_forgets: false,
            advances_max: 256,
            sweeps_max: 64,
            blob_sweep_ms: 0,
            blob_grace_ms: 24 * 3_600_000,
            archive_ms: 0,
            due_page: 256,
            watches_max: 1_000,
            admission_fill_percent: 80,
            backlog_max: 0,
            lane_share: 4,
            grace_ms: 25_000,
            connection_age_ms: 30 * 60_000,
            announce_ms: 10_000,
            cluster_secret: None,
            secrets: BTreeMap::new(),
            seed: 0,
            reader: READER,
            seeded_ids: false,
        }
    }
}
