//! What a blob store promises. Adapters live beside it; none knows what a blob means.

use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use baton_common::TenantId;
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
    async fn stream(&self, tenant: &TenantId, key: &Key) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error>;

    /// Its size, if it is there.
    async fn size(&self, tenant: &TenantId, key: &Key) -> Result<Option<u64>, Error>;

    /// The blobs beneath a key taken as a folder, or all, sorted by key.
    async fn list(&self, tenant: &TenantId, folder: Option<&Key>) -> Result<Vec<Entry>, Error>;

    /// Removes a blob; removing what is not there is no error.
    async fn delete(&self, tenant: &TenantId, key: &Key) -> Result<(), Error>;

    /// The file in which people find the blob, where there is one.
    fn file(&self, tenant: &TenantId, key: &Key) -> Option<PathBuf>;
}
