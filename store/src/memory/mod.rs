//! A store in memory: the machine over ordered maps, with fault switches for the simulator.
//!
//! It keeps nothing over the end of its process. Its clock follows Tokio's, so that it
//! runs in virtual time under a paused runtime.

mod changes;
mod dump;
mod faults;
mod groups;
mod quotas;
mod reader;
mod registry;
mod retention;
mod rows;
mod schedules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::settings::Timings;
use baton_common::transition::{Op, Reply};
use baton_common::{Partition, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

pub use changes::Changes;
pub use faults::{Fault, Faults, NoFaults};
use quotas::QuotaRows;
use registry::RegistryRows;
use rows::PartitionRows;

use crate::machine::{self, Context, Guards};
use crate::{Counts, Error, Store};

/// The moment at which a memory store's clock starts, so that its times look like times.
const EPOCH_MS: i64 = 1_760_000_000_000;

/// A store in memory; clones share their data.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    timings: Timings,
    guards: Guards,
    started: Instant,
    data: Mutex<Data>,
    faults: Box<dyn Faults>,
}

#[derive(Default)]
struct Data {
    partitions: BTreeMap<Partition, PartitionRows>,
    registry: RegistryRows,
    quotas: QuotaRows,
    leases: BTreeMap<Partition, (String, Timestamp)>,
}

/// What a memory store holds at one moment, for going back to it.
#[derive(Clone)]
pub struct Snapshot {
    partitions: BTreeMap<Partition, PartitionRows>,
    registry: RegistryRows,
}

impl MemoryStore {
    /// An empty store without faults.
    #[must_use]
    pub fn new(timings: Timings) -> Self {
        Self::with(timings, Guards::default(), Box::new(NoFaults), "memory")
    }

    /// An empty store of that name, with guards and faults chosen.
    #[must_use]
    pub fn with(timings: Timings, guards: Guards, faults: Box<dyn Faults>, cluster: &str) -> Self {
        let registry = RegistryRows::named(cluster);
        let data = Data { registry, ..Data::default() };
        let shared = Shared { timings, guards, started: Instant::now(), data: Mutex::new(data), faults };
        Self { shared: Arc::new(shared) }
    }

    /// The store's clock.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        let elapsed = self.shared.started.elapsed().as_millis();
        Timestamp(EPOCH_MS).plus_ms(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// What it holds now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let data = self.shared.data.lock();
        Snapshot { partitions: data.partitions.clone(), registry: data.registry.clone() }
    }

    /// Goes back to an earlier moment, as a restore from a backup does. The clock goes on.
    pub fn roll_back(&self, snapshot: Snapshot) {
        let mut data = self.shared.data.lock();
        data.partitions = snapshot.partitions;
        data.registry = snapshot.registry;
    }

    /// Every row of a partition as text, for comparing stores: the row's name and its JSON.
    #[must_use]
    pub fn dump(&self, partition: Partition) -> BTreeMap<String, String> {
        self.shared.data.lock().partitions.get(&partition).map(PartitionRows::dump).unwrap_or_default()
    }

    /// Partitions that hold anything.
    #[must_use]
    pub fn used_partitions(&self) -> Vec<Partition> {
        self.shared.data.lock().partitions.keys().copied().collect()
    }

    /// Makes one transition at a moment the caller names.
    ///
    /// # Errors
    /// Never; the type is the machine's.
    pub fn apply_at(&self, op: &Op, now: Timestamp) -> Result<Reply, Error> {
        let context = Context { now, timings: &self.shared.timings, guards: self.shared.guards };
        let mut data = self.shared.data.lock();
        let rows = data.partitions.entry(op.partition()).or_default();
        machine::apply(rows, context, op)
    }

    /// Makes one transition as [`MemoryStore::apply_at`] does, and tells what it wrote.
    ///
    /// # Errors
    /// Never; the type is the machine's.
    pub fn apply_watched(&self, op: &Op, now: Timestamp) -> Result<(Reply, Changes), Error> {
        let context = Context { now, timings: &self.shared.timings, guards: self.shared.guards };
        let mut data = self.shared.data.lock();
        let rows = data.partitions.entry(op.partition()).or_default();
        rows.changes = Some(Changes::default());
        let reply = machine::apply(rows, context, op);
        let changes = rows.changes.take().unwrap_or_default();
        Ok((reply?, changes))
    }

    fn read<T>(&self, partition: Partition, read: impl FnOnce(&PartitionRows) -> T) -> Option<T> {
        self.shared.data.lock().partitions.get(&partition).map(read)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        match self.shared.faults.fault(&op) {
            Fault::None => self.apply_at(&op, self.clock()),
            Fault::Lost => Err(Error::Unavailable("lost on its way".to_owned())),
            Fault::ReplyLost => {
                self.apply_at(&op, self.clock())?;
                Err(Error::Unavailable("the reply was lost".to_owned()))
            }
            Fault::Delayed { before_ms, after_ms } => {
                tokio::time::sleep(Duration::from_millis(before_ms)).await;
                let reply = self.apply_at(&op, self.clock());
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                reply
            }
        }
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        let now = self.clock();
        let mut data = self.shared.data.lock();
        let free = match data.leases.get(&partition) {
            Some((holder, until)) => holder == owner || *until <= now,
            None => true,
        };
        if free {
            data.leases.insert(partition, (owner.to_owned(), now.plus_ms(ms)));
        }
        Ok(free)
    }

    async fn counts(&self) -> Result<Counts, Error> {
        let data = self.shared.data.lock();
        let mut counts = Counts { now: self.clock(), ..Counts::default() };
        for rows in data.partitions.values() {
            for state in rows.states.values().filter(|state| !state.status.is_terminal()) {
                *counts.runs.entry(state.status).or_default() += 1;
            }
            rows.inbox.values().for_each(|(at, _)| counts.asked(1, *at));
        }
        Ok(counts)
    }

    async fn close(&self) {}
}
