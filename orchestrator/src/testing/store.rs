//! A memory store that counts: transitions by name, and reads of records.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use baton_common::ids::{GraphHash, GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{Audit, Body, Checkpoint, Event, Group, Interrupt, Run, Span, Task, Thread};
use baton_common::transition::{Due, Op, Reply};
use baton_common::{Digest, Partition, TenantId, Timestamp};
use baton_store::memory::MemoryStore;
use baton_store::{ApiKey, Error, Loaded, Reader, Registry, RunDetail, RunFilter, Store, StoredGraph, StoredWorker};
use parking_lot::Mutex;

#[derive(Clone)]
pub(crate) struct Counting {
    inner: MemoryStore,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Counting {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, counts: Arc::default() }
    }

    /// What was counted since the last call, without what `skip` names.
    pub(crate) fn take(&self, skip: &[&str]) -> BTreeMap<String, u32> {
        let mut counts = std::mem::take(&mut *self.counts.lock());
        counts.retain(|name, _| !skip.contains(&name.as_str()));
        counts
    }

    fn count(&self, name: &str) {
        *self.counts.lock().entry(name.to_owned()).or_default() += 1;
    }
}

#[async_trait]
impl Store for Counting {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        let text = format!("{op:?}");
        self.count(text.split(['(', ' ']).next().unwrap_or_default());
        self.inner.apply(op).await
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        self.inner.lease_partition(partition, owner, ms).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

macro_rules! forward {
    ($trait:ident { $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for Counting {$(
            async fn $name(&self, $($arg: $type),*) -> Result<$answer, Error> {
                self.count(concat!("read ", stringify!($name)));
                self.inner.$name($($arg),*).await
            }
        )*}
    };
}

forward! { Reader {
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
} }

forward! { Registry {
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
} }
