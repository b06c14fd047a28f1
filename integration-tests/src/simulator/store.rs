//! The store as one process reaches it: calls and replies get lost, and the process may
//! die on either side of a transition. Every transition is shown to the checker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::ids::{GraphHash, GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{Audit, Body, Checkpoint, Event, Group, Interrupt, Run, Span, Task, Thread};
use baton_common::transition::{Due, Op, Reply};
use baton_common::{Digest, Partition, TenantId, Timestamp};
use baton_store::{
    ApiKey, Error, Loaded, MemoryStore, Reader, Registry, RunDetail, RunFilter, Store, StoredGraph, StoredWorker,
};

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

    async fn read(&self) -> Result<(), Error> {
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

macro_rules! through {
    ($part:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $part for GatedStore {$(
            async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                self.read().await?;
                self.store.$name($($argument),*).await
            }
        )*}
    };
}

through! {
    Reader {
        run(run: RunId) -> Option<Run>;
        load(run: RunId) -> Option<Loaded>;
        detail(run: RunId) -> Option<RunDetail>;
        group(run: RunId, group: &GroupId) -> Option<(Group, Vec<Task>)>;
        thread(key: &ThreadKey) -> Option<Thread>;
        checkpoint(key: &ThreadKey, seq: Seq) -> Option<Checkpoint>;
        segments(key: &ThreadKey, channel: &str, span: Span) -> Vec<Body>;
        runs(tenant: &TenantId, filter: &RunFilter) -> Vec<Run>;
        inbox(tenant: &TenantId, limit: u32) -> Vec<Interrupt>;
        events(run: RunId, after: u64, limit: u32) -> Vec<Event>;
        audit(partition: Partition, limit: u32) -> Vec<Audit>;
        due(partition: Partition) -> Vec<(Timestamp, Due)>;
        now() -> Timestamp;
    }
}

through! {
    Registry {
        cluster() -> String;
        put_graph(graph: StoredGraph) -> ();
        graph(tenant: &TenantId, hash: GraphHash) -> Option<StoredGraph>;
        graph_named(tenant: &TenantId, name: &str) -> Option<StoredGraph>;
        graphs(tenant: &TenantId) -> Vec<StoredGraph>;
        put_api_key(key: ApiKey) -> ();
        api_key(hash: Digest) -> Option<ApiKey>;
        api_keys() -> Vec<ApiKey>;
        remove_api_key(id: &str) -> bool;
        put_worker(id: &str, body: Body) -> ();
        workers(since: Timestamp) -> Vec<StoredWorker>;
    }
}
