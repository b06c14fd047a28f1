//! The store as one process reaches it: calls and replies get lost, and the process may
//! die on either side of a transition. Every transition is shown to the checker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Partition;
use baton_common::transition::{DuePage, Op, PopDue, Reply};
use baton_store::{Error, MemoryStore, Store};

use super::chaos::Chaos;
use super::checker::Checker;
use super::gate::Gate;

/// The store behind a gate.
pub(super) struct GatedStore {
    pub(super) store: MemoryStore,
    pub(super) gate: Arc<Gate>,
    pub(super) chaos: Arc<Chaos>,
    pub(super) checker: Arc<Checker>,
}

impl GatedStore {
    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(self.chaos.pause_ms())).await;
        self.gate.pass().await;
    }

    /// A call that writes, with what may happen on its way.
    async fn call<T>(&self, write: impl FnOnce() -> T) -> Result<T, Error> {
        self.gate.pass().await;
        self.pause().await;
        if self.chaos.strikes("crash before a transition", 2.0) {
            self.gate.die();
        }
        self.gate.pass().await;
        if self.chaos.strikes("store call lost", 12.0) {
            return Err(Error::Unavailable("the call was lost".to_owned()));
        }
        let reply = write();
        if self.chaos.strikes("crash after a transition", 4.0) {
            self.gate.die();
        }
        self.pause().await;
        if self.chaos.strikes("store reply lost", 12.0) {
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        Ok(reply)
    }

    async fn read(&self, _name: &str) -> Result<(), Error> {
        self.gate.pass().await;
        tokio::time::sleep(Duration::from_millis(self.chaos.below(3))).await;
        self.gate.pass().await;
        if self.chaos.strikes("read failed", 8.0) {
            return Err(Error::Unavailable("the read failed".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for GatedStore {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        self.call(|| self.checker.observe(&op, self.store.clock())).await
    }

    /// One call for many partitions, as on Redis. Where nothing was ever written nothing is due.
    async fn pop_due(&self, partitions: &[Partition], limit: u32, hide_ms: u64) -> Result<Vec<DuePage>, Error> {
        let pop = |used: &[Partition], partition| {
            let now = self.store.clock();
            if used.binary_search(&partition).is_err() {
                return DuePage { now, ..DuePage::default() };
            }
            match self.checker.observe(&Op::PopDue(PopDue { partition, limit, hide_ms }), now) {
                Reply::PopDue(page) => page,
                other => panic!("POP_DUE answered {other:?}"),
            }
        };
        self.call(|| {
            let used = self.store.used_partitions();
            partitions.iter().map(|partition| pop(&used, *partition)).collect()
        })
        .await
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        self.gate.pass().await;
        if self.chaos.strikes("two sweepers", 100.0) {
            return Ok(true);
        }
        self.store.lease_partition(partition, owner, ms).await
    }

    async fn close(&self) {}
}

baton_store::forward_reads!(GatedStore, store, read);
