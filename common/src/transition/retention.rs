//! PRUNE: removing threads, and checkpoints that nobody needs.

use crate::ids::{Seq, ThreadKey};

/// Looks at a thread whose time may be over: it goes, or its oldest checkpoints go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// The thread.
    pub thread: ThreadKey,
    /// A full checkpoint of it: those before it may go where nobody needs a state before it.
    /// `None` asks which that may be.
    pub below: Option<Seq>,
}

/// Checkpoints that one transition removes at most.
pub const PRUNED_MAX: u64 = 500;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneAnswer {
    /// There is no such thread any more.
    Gone,
    /// All that is there is needed, or its time is to come.
    Kept,
    /// Checkpoints from one on may go up to the last full one that is not behind `bound`.
    May {
        /// The first that is there.
        from: Seq,
        /// The first state that somebody needs.
        bound: Seq,
    },
    /// Some are gone.
    Pruned {
        /// Whether there are more of them.
        more: bool,
    },
}
