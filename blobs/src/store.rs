//! What a blob store promises. Adapters live beside it; none knows what a blob means.

use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use std::time::Duration;

use baton_common::{TenantId, Timestamp};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::key::{self, Key};

/// One blob of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where it lies within the tenant's area.
    pub key: Key,
    /// Size in bytes.
    pub bytes: u64,
    /// When it was written, by the blob store's clock.
    pub modified: Timestamp,
}

/// A blob's bytes, piece by piece.
pub type Pieces = BoxStream<'static, Result<Bytes, Error>>;

/// What a signed address lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read the blob.
    Read,
    /// Write the blob, once or several times until the address expires.
    Write,
}

/// A blob under way. Nobody sees it before it is finished.
#[async_trait]
pub trait Upload: Send {
    /// Adds a piece.
    async fn write(&mut self, piece: Bytes) -> Result<(), Error>;

    /// Makes it visible under its key, in place of what was there; after `Ok` it survives a
    /// loss of power.
    async fn finish(self: Box<Self>) -> Result<(), Error>;

    /// Forgets it.
    async fn abort(self: Box<Self>);
}

/// Why a blob store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing lies there.
    #[error("no blob at {0}")]
    NotFound(Key),
    /// The text is no key.
    #[error(transparent)]
    Key(#[from] key::Error),
    /// What lies there is not what the reference says: it was changed or damaged.
    #[error("the blob at {key} is not the one referred to: expected digest {expected}, found {found}")]
    Changed {
        /// Where it lies.
        key: Key,
        /// The digest of the reference.
        expected: baton_common::Digest,
        /// The digest of what lies there.
        found: baton_common::Digest,
    },
    /// The setting names no store that is known.
    #[error("unknown blob store {0:?}: use file:DIR, s3://BUCKET or memory:")]
    UnknownStore(String),
    /// The setting names a kind of store that is known, and is not well formed.
    #[error("the blob store's setting: {0}")]
    Setting(String),
    /// The store failed; the call may be repeated.
    #[error("blob store failed at {place}")]
    Failed {
        /// Key or folder.
        place: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Keeps bytes under keys, per tenant. A call sees only the area of the tenant it names.
#[async_trait]
pub trait BlobStore: Send + Sync + std::fmt::Debug {
    /// Writes a blob, replacing what was there. Readers see the old one or the new one,
    /// whole; after `Ok` it survives a loss of power.
    async fn put(&self, tenant: &TenantId, key: &Key, bytes: Bytes) -> Result<(), Error>;

    /// Reads a blob.
    async fn get(&self, tenant: &TenantId, key: &Key) -> Result<Bytes, Error>;

    /// Reads a part of a blob; a range beyond its end is cut there.
    async fn get_range(&self, tenant: &TenantId, key: &Key, range: Range<u64>) -> Result<Bytes, Error>;

    /// Reads a blob piece by piece.
    async fn stream(&self, tenant: &TenantId, key: &Key) -> Result<Pieces, Error>;

    /// Begins a blob that is written piece by piece, in memory for a few of them at most.
    async fn upload(&self, tenant: &TenantId, key: &Key) -> Result<Box<dyn Upload>, Error>;

    /// What is known of it, if it is there.
    async fn entry(&self, tenant: &TenantId, key: &Key) -> Result<Option<Entry>, Error>;

    /// Its size, if it is there.
    async fn size(&self, tenant: &TenantId, key: &Key) -> Result<Option<u64>, Error> {
        Ok(self.entry(tenant, key).await?.map(|entry| entry.bytes))
    }

    /// The blobs beneath a key taken as a folder, or all, one by one in no order.
    fn each(&self, tenant: &TenantId, folder: Option<&Key>) -> BoxStream<'static, Result<Entry, Error>>;

    /// Whose areas hold anything.
    async fn tenants(&self) -> Result<Vec<TenantId>, Error>;

    /// An address at which whoever holds it reaches this one blob for a while without
    /// credentials; `None` where there is no such thing.
    async fn signed(
        &self,
        tenant: &TenantId,
        key: &Key,
        access: Access,
        within: Duration,
    ) -> Result<Option<String>, Error>;

    /// The blobs beneath a key taken as a folder, or all, sorted by key.
    async fn list(&self, tenant: &TenantId, folder: Option<&Key>) -> Result<Vec<Entry>, Error>;

    /// Removes a blob; removing what is not there is no error.
    async fn delete(&self, tenant: &TenantId, key: &Key) -> Result<(), Error>;

    /// The file in which people find the blob, where there is one.
    fn file(&self, tenant: &TenantId, key: &Key) -> Option<PathBuf>;
}
