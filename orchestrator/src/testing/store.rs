//! A memory store that counts: transitions by name, and reads of records.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use baton_common::records::{Body, Span};
use baton_common::transition::{Op, Reply};
use baton_common::{Partition, ThreadKey};
use baton_store::memory::MemoryStore;
use baton_store::{Error, Reader as _, Store};
use parking_lot::Mutex;

#[derive(Clone)]
pub(crate) struct Counting {
    inner: Pieces,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

/// Counts the pieces of lists that are read; everything else is the store's.
#[derive(Clone)]
struct Pieces {
    store: MemoryStore,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Deref for Pieces {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.store
    }
}

impl Pieces {
    async fn segments(&self, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
        let pieces = self.store.segments(key, channel, span).await?;
        *self.counts.lock().entry("pieces".to_owned()).or_default() += pieces.len() as u32;
        Ok(pieces)
    }
}

impl Counting {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        let counts = Arc::<Mutex<_>>::default();
        Self { inner: Pieces { store: inner, counts: counts.clone() }, counts }
    }

    /// What was counted since the last call, without what `skip` names.
    pub(crate) fn take(&self, skip: &[&str]) -> BTreeMap<String, u32> {
        let mut counts = std::mem::take(&mut *self.counts.lock());
        counts.retain(|name, _| !skip.contains(&name.as_str()));
        counts
    }

    /// The store's clock, in milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock().0
    }

    async fn count_read(&self, name: &str) -> Result<(), Error> {
        // Looked at every other moment, whoever does what.
        if name != "quotas" {
            self.count(&format!("read {name}"));
        }
        Ok(())
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

baton_store::forward_reads!(Counting, inner, count_read);
