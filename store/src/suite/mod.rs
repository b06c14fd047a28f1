//! What every store adapter must pass: promises told as short stories (`conformance`), and
//! random operation sequences held against the machine (`differential`).
//!
//! Part of the crate so that adapters elsewhere can be held to it too. Test code: it panics
//! where a promise is broken.

pub mod broken;
pub mod conformance;
pub mod differential;
pub mod forward;
pub mod golden;
pub mod meters;
mod random;
mod recount;
mod world;

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::transition::{Op, Reply};
use baton_common::{Partition, Timestamp};

use crate::memory::MemoryStore;
use crate::{Error, Store};

/// A store under test: one whose moment can be named and whose rows can be listed.
#[async_trait]
pub trait Subject: Store {
    /// Makes one transition at a moment the test names. Moments never fall.
    async fn apply_when(&self, op: &Op, now: Timestamp) -> Result<Reply, Error>;
    /// Every row of a partition as text, in the form of [`MemoryStore::dump`].
    async fn rows(&self, partition: Partition) -> Result<BTreeMap<String, String>, Error>;
    /// Whether a scan can show every body, or refuses.
    fn shows_all(&self) -> bool {
        true
    }
}

#[async_trait]
impl Subject for MemoryStore {
    async fn apply_when(&self, op: &Op, now: Timestamp) -> Result<Reply, Error> {
        self.apply_at(op, now)
    }

    async fn rows(&self, partition: Partition) -> Result<BTreeMap<String, String>, Error> {
        Ok(self.dump(partition))
    }
}
