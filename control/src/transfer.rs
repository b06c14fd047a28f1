//! Large content on its way between a worker and the blob store: what is asked about it, and
//! the ways it may take. Who takes which way is left to the worker.

use baton_common::{BlobRef, Digest};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{BlobPlace, Error};

/// Content, piece by piece.
pub type Pieces = BoxStream<'static, Result<Bytes, Error>>;

/// Content that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What it is for.
    pub place: BlobPlace,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// H of the content.
    pub digest: Digest,
}

/// Where content is to lie, and how it gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Berth {
    /// The reference it will have; none where it goes through the control plane.
    pub blob: Option<BlobRef>,
    /// The way there.
    pub way: Way,
}

impl Berth {
    /// Content goes through the control plane.
    #[must_use]
    pub fn through() -> Self {
        Self { blob: None, way: Way::Through }
    }
}

/// How a worker reaches one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It lies there already.
    There,
    /// Through a blob store that the worker has been given itself, if it has.
    Direct,
    /// At an address that serves for this blob alone, for a while, without credentials. It is a
    /// secret. A worker with a store of its own need not use it.
    Signed(String),
    /// Through the control plane.
    Through,
}
