//! Threads: long-lived state with a stable name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{RunId, Seq, ThreadKey};

/// Long-lived state with a stable name: where its history stands and who runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Whose, and its name.
    pub key: ThreadKey,
    /// The last checkpoint; 0 before the first.
    pub head: Seq,
    /// The run that may advance it.
    pub active: Option<RunId>,
    /// Runs that wait for their turn.
    pub queue: Vec<RunId>,
    /// For each replace-like channel, the checkpoint that last wrote it.
    pub channels: BTreeMap<String, Seq>,
}

impl Thread {
    /// A thread nobody has written yet.
    #[must_use]
    pub fn new(key: ThreadKey) -> Self {
        Self { key, head: Seq(0), active: None, queue: Vec::new(), channels: BTreeMap::new() }
    }
}
