//! The store as one process reaches it: calls and replies get lost, and the process may
//! die on either side of a transition. Every transition is shown to the checker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Partition;
use baton_common::transition::{Op, Reply};
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
        self.gate.pass().await;
        self.pause().await;
        if self.chaos.strikes("crash before a transition", 2.0) {
            self.gate.die();
        }
        self.gate.pass().await;
        if self.chaos.strikes("store call lost", 12.0) {
            return Err(Error::Unavailable("the call was lost".to_owned()));
        }
        let reply = self.checker.observe(&op, self.store.clock());
        if self.chaos.strikes("crash after a transition", 4.0) {
            self.gate.die();
        }
        self.pause().await;
        if self.chaos.strikes("store reply lost", 12.0) {
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        Ok(reply)
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
