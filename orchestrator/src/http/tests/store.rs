//! A memory store that forgets events, as a capped one does.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use baton_common::records::Event;
use baton_common::settings::Timings;
use baton_common::transition::{Op, Reply};
use baton_common::{Partition, RunId};
use baton_store::memory::MemoryStore;
use baton_store::{Error, Reader, Store};

/// The store, and what happens to its reads.
#[derive(Clone)]
pub(super) struct Forgetful {
    inner: Trimmed,
    pub(super) state: Arc<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Events up to this number are gone.
    pub(super) gone: AtomicU64,
    /// Nothing is answered.
    pub(super) away: AtomicBool,
    /// How often events were read.
    pub(super) reads: AtomicU64,
}

/// Shadows the read of events; everything else is the store's.
#[derive(Clone)]
struct Trimmed {
    store: MemoryStore,
    state: Arc<State>,
}

impl Deref for Trimmed {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.store
    }
}

impl Trimmed {
    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
        self.state.reads.fetch_add(1, Ordering::Relaxed);
        let gone = self.state.gone.load(Ordering::Relaxed);
        self.store.events(run, after.max(gone), limit).await
    }
}

impl Forgetful {
    pub(super) fn new(timings: Timings) -> Self {
        let state = Arc::new(State::default());
        Self { inner: Trimmed { store: MemoryStore::new(timings), state: state.clone() }, state }
    }

    async fn there(&self, _: &str) -> Result<(), Error> {
        if self.state.away.load(Ordering::Relaxed) { Err(Error::Unavailable("it is away".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Forgetful {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        self.there("").await?;
        self.inner.apply(op).await
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        self.inner.lease_partition(partition, owner, ms).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

baton_store::forward_reads!(Forgetful, inner, there);
