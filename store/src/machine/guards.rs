//! The checks that keep the hand-over whole, each of which a test may take away.
//!
//! Only builds with debug assertions or the feature `guards` can; in all others, so in every
//! release, every guard holds.

/// A check of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// ADVANCE compares the version it saw.
    Version,
    /// A group that closes leaves a ready entry.
    Ready,
    /// RECORD looks whether the task has ended.
    Dedup,
    /// CLAIM and RECORD compare the input digest.
    Digest,
    /// RECORD takes failures with the current fence only.
    Fence,
}

/// Which guards hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    #[cfg(any(feature = "guards", debug_assertions))]
    removed: Option<Guard>,
}

impl Guards {
    /// All but one.
    #[cfg(any(feature = "guards", debug_assertions))]
    #[must_use]
    pub fn without(guard: Guard) -> Self {
        Self { removed: Some(guard) }
    }

    /// Whether this one holds.
    #[cfg(any(feature = "guards", debug_assertions))]
    #[must_use]
    pub fn hold(self, guard: Guard) -> bool {
        self.removed != Some(guard)
    }

    /// Whether this one holds: always.
    #[cfg(not(any(feature = "guards", debug_assertions)))]
    #[must_use]
    pub fn hold(self, _guard: Guard) -> bool {
        true
    }
}
