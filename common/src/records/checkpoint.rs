//! Checkpoints: immutable states of a thread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelName, Gen, NodePath, RunId, Seq};
use crate::{BlobRef, Digest, JsonText, Shared, Timestamp};

/// One immutable state of a thread: what changed since its parent, or everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its place in the thread.
    pub seq: Seq,
    /// The state it was made from; 0 is none.
    pub parent: Seq,
    /// The run that made it.
    pub run: RunId,
    /// That run's generation.
    pub r#gen: Gen,
    /// That run's advance.
    pub superstep: u64,
    /// The step's `now`.
    pub at: Timestamp,
    /// Whether `writes` holds every replace-like channel.
    pub full: bool,
    /// Values of replace-like channels.
    pub writes: BTreeMap<ChannelName, Shared>,
    /// Where values lie that are too large to stand in `writes`, which has null in their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub large: BTreeMap<ChannelName, BlobRef>,
    /// For each append-like channel, which of its pieces count.
    pub segments: BTreeMap<ChannelName, Span>,
    /// Which node wrote which channel.
    pub wrote: BTreeMap<ChannelName, NodePath>,
    /// What the engine needs beside the channels to decide again.
    pub control: JsonText,
    /// H of the content, free of generation.
    pub hash: Digest,
}

/// Pieces `base..end` of an append-like channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// The first piece that counts.
    pub base: u64,
    /// One past the last.
    pub end: u64,
}
