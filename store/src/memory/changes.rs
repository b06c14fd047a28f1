//! What one transition wrote, for those who hold a refused one to having written nothing.

use std::collections::BTreeSet;

use baton_common::RunId;

/// The writes of one transition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Writes of rows other than due entries.
    pub rows: u64,
    /// Writes of due entries.
    pub due: u64,
    /// The runs whose rows or due entries were written.
    pub runs: BTreeSet<RunId>,
}
