//! Threads: long-lived state with a stable name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{ChannelName, RunId, Seq, ThreadKey};

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
    pub channels: BTreeMap<ChannelName, Seq>,
    /// Where its checkpoints and pieces up to a seq lie, for the thread of a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Origin>>,
    /// Where its head goes when the active run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_back: Option<Box<SetBack>>,
    /// Runs with open waits for a signal, children of its runs among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaiting: Vec<RunId>,
    /// The number of the last signal.
    #[serde(default)]
    pub signals: u64,
    /// The last seq that was used beyond the head, where the head was set back: states are never
    /// written over, so what follows is numbered from there.
    #[serde(default, skip_serializing_if = "is_none_used")]
    pub used: Seq,
    /// Signals that no wait has taken.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub untaken: u32,
    /// How long it lives; threads of earlier programs say nothing, and stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Lasting>,
    /// Its checkpoints before this one were removed.
    #[serde(default, skip_serializing_if = "is_none_used")]
    pub pruned: Seq,
    /// It may go from then on, unless somebody needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How long a thread lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lasting {
    /// It was made for this run, and goes with it.
    WithRun(RunId),
    /// It outlives its runs by the retention of threads.
    Beyond,
}

/// What a fork shares with the thread it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The thread.
    pub thread: ThreadKey,
    /// The last checkpoint it shares.
    pub seq: Seq,
}

/// An earlier state that is to be a thread's head again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBack {
    /// The checkpoint; 0 is before the first.
    pub seq: Seq,
    /// For each replace-like channel, the checkpoint that last wrote it by then.
    pub channels: BTreeMap<ChannelName, Seq>,
}

impl Thread {
    /// A thread nobody has written yet.
    #[must_use]
    pub fn new(key: ThreadKey) -> Self {
        Self {
            key,
            head: Seq(0),
            active: None,
            queue: Vec::new(),
            channels: BTreeMap::new(),
            origin: None,
            set_back: None,
            awaiting: Vec::new(),
            signals: 0,
            used: Seq(0),
            untaken: 0,
            lasting: None,
            pruned: Seq(0),
            until: None,
        }
    }

    /// The seq of the checkpoint after the head.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.head.max(self.used).next()
    }

    /// The first seq that its own checkpoints may have.
    #[must_use]
    pub fn first_own(&self) -> Seq {
        self.origin.as_ref().map_or(Seq(1), |origin| origin.seq.next())
    }

    /// Makes an earlier state the head again.
    pub fn go_back(&mut self, back: &SetBack) {
        self.used = self.used.max(self.head);
        self.head = back.seq;
        self.channels.clone_from(&back.channels);
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_none_used(seq: &Seq) -> bool {
    seq.0 == 0
}
