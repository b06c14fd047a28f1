//! POP_DUE.

use crate::Timestamp;
use crate::ids::Partition;
use crate::records::DueKey;

/// Takes due entries, moving each on so that others do not take them meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopDue {
    /// Of which partition.
    pub partition: Partition,
    /// At most so many.
    pub limit: u32,
    /// Hidden for so many milliseconds.
    pub hide_ms: u64,
}

/// A due entry that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What is due.
    pub key: DueKey,
    /// For ready entries: how often it was taken since the run's last advance.
    pub attempts: u32,
}

/// Due entries and when the next one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DuePage {
    /// What is due, the earliest first.
    pub due: Vec<Due>,
    /// When the next entry of the partition is due.
    pub next: Option<Timestamp>,
    /// The store's clock.
    pub now: Timestamp,
}
