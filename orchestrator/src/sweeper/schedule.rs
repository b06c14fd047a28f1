//! When each partition is looked at: every tick where something is near and this replica
//! holds the lease, every idle tick elsewhere, with jitter so that replicas spread.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::transition::DuePage;
use baton_common::{Partition, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::orchestrator::Inner;

/// A lease lasts so many idle ticks and is prolonged at half of them.
const LEASE_IDLE_TICKS: u64 = 10;

/// Partitions that something is known to become due in.
#[derive(Default)]
pub(crate) struct Nudges {
    at: Mutex<BTreeMap<Partition, Instant>>,
    arrived: Notify,
    /// Partitions that are left to other replicas until then.
    avoided: Mutex<BTreeMap<Partition, Instant>>,
}

impl Nudges {
    fn add(&self, partition: Partition, at: Instant) {
        let mut nudges = self.at.lock();
        let known = nudges.entry(partition).or_insert(at);
        *known = at.min(*known);
        self.arrived.notify_one();
    }

    /// Leaves a partition to other replicas for a while: they can do what this one cannot.
    pub(crate) fn avoid(&self, partition: Partition, time: Duration) {
        self.avoided.lock().insert(partition, Instant::now() + time);
    }

    /// How long a partition is still left to others, if it is.
    fn avoids(&self, partition: Partition) -> Option<Duration> {
        let mut avoided = self.avoided.lock();
        let left = avoided.get(&partition)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            avoided.remove(&partition);
            return None;
        }
        Some(left)
    }

    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

impl Inner {
    /// Something becomes due there at about that time.
    pub(crate) fn nudge(&self, partition: Partition, at: Timestamp) {
        self.nudges.add(partition, self.clock.instant_of(at));
    }

    /// Something is due there now.
    pub(crate) fn nudge_now(&self, partition: Partition) {
        self.nudges.add(partition, Instant::now());
    }
}

/// When to look where.
pub(super) struct Schedule {
    at: BTreeMap<Partition, Instant>,
    leased_until: BTreeMap<Partition, Instant>,
    tick: Duration,
    idle: Duration,
}

impl Schedule {
    /// Every partition some time within the first idle tick.
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        let timings = &inner.settings.timings;
        let now = Instant::now();
        let first = |partition| (partition, now + Duration::from_millis(inner.jittered(timings.idle_tick_ms)));
        Self {
            at: Partition::all().map(first).collect(),
            leased_until: BTreeMap::new(),
            tick: Duration::from_millis(timings.tick_ms.max(1)),
            idle: Duration::from_millis(timings.idle_tick_ms.max(1)),
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.at.values().min().copied()
    }

    pub(super) fn take_nudges(&mut self, nudges: &Nudges) {
        for (partition, at) in std::mem::take(&mut *nudges.at.lock()) {
            let known = self.at.entry(partition).or_insert(at);
            *known = at.min(*known);
        }
    }

    /// Partitions to look at now. Those that follow within half a tick come along, so
    /// that one call serves many.
    pub(super) fn due(&self, now: Instant) -> Vec<Partition> {
        let now = now + self.tick / 2;
        self.at.iter().filter(|(_, at)| **at <= now).map(|(partition, _)| *partition).collect()
    }

    /// Nothing is known: look again after an idle tick.
    pub(super) fn later(&mut self, inner: &Inner, partition: Partition) {
        self.at.insert(partition, Instant::now() + jittered(inner, self.idle));
    }

    /// What was found decides when to look again.
    pub(super) async fn looked(&mut self, inner: &Inner, partition: Partition, page: &DuePage) {
        let near = page.next.map(|next| Duration::from_millis(next.since_ms(page.now)));
        let avoided = inner.nudges.avoids(partition);
        let full = page.due.len() >= inner.settings.due_page as usize;
        let pause = match (near, avoided) {
            (_, Some(left)) => left + jittered(inner, self.idle),
            _ if full => Duration::ZERO,
            (Some(near), _) if near < self.idle && self.sweeps(inner, partition).await => near.max(self.tick),
            _ => jittered(inner, self.idle),
        };
        self.at.insert(partition, Instant::now() + pause);
    }

    /// Whether this replica is the one to look often.
    async fn sweeps(&mut self, inner: &Inner, partition: Partition) -> bool {
        if !inner.settings.lease_partitions {
            return true;
        }
        let now = Instant::now();
        let length = self.idle * u32::try_from(LEASE_IDLE_TICKS).unwrap_or(u32::MAX);
        if self.leased_until.get(&partition).is_some_and(|until| *until > now + length / 2) {
            return true;
        }
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        match inner.store.lease_partition(partition, &inner.settings.replica, ms).await {
            Ok(true) => {
                self.leased_until.insert(partition, now + length);
                true
            }
            Ok(false) | Err(_) => {
                self.leased_until.remove(&partition);
                false
            }
        }
    }
}

fn jittered(inner: &Inner, pause: Duration) -> Duration {
    Duration::from_millis(inner.jittered(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)).max(1))
}
