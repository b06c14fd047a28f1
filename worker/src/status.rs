//! What a worker is doing, in numbers, for probes and screens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of one worker.
#[derive(Debug, Default)]
pub struct Status {
    pub(crate) ready: AtomicBool,
    pub(crate) granted: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) running: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) spooled: AtomicU64,
    pub(crate) lost: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Whether it is listed and takes jobs.
    pub ready: bool,
    /// Jobs granted so far.
    pub granted: u64,
    /// Messages with nothing behind them.
    pub dropped: u64,
    /// Messages that could not be read.
    pub rejected: u64,
    /// Attempts running now.
    pub running: u64,
    /// Outcomes with a final answer.
    pub resumed: u64,
    /// Outcomes that had to wait in the spool.
    pub spooled: u64,
    /// Leases lost while running.
    pub lost: u64,
}

impl Status {
    /// The counters now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            ready: self.ready.load(Ordering::Relaxed),
            granted: read(&self.granted),
            dropped: read(&self.dropped),
            rejected: read(&self.rejected),
            running: read(&self.running),
            resumed: read(&self.resumed),
            spooled: read(&self.spooled),
            lost: read(&self.lost),
        }
    }

    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
