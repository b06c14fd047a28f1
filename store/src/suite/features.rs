//! What an adapter can do so far, for the time while it follows the machine.

/// A set of features: operations and tasks the random generator may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features(u32);

impl Features {
    /// What every adapter has.
    pub const NONE: Self = Self(0);
    /// Questions beyond a window are held, each with a time of its own.
    pub const WINDOWS: Self = Self(1);
    /// CANCEL and commits that undo stop groups, FORCE ends them.
    pub const STOPPING: Self = Self(1 << 1);
    /// Waits for a time.
    pub const WAITS: Self = Self(1 << 2);
    /// Waits for a signal, SIGNAL, DELIVER and HEARD.
    pub const SIGNALS: Self = Self(1 << 3);
    /// Jobs that ask or wait.
    pub const PHASES: Self = Self(1 << 4);
    /// Children.
    pub const CHILDREN: Self = Self(1 << 5);
    /// Indexes that need one another.
    pub const NEEDS: Self = Self(1 << 6);
    /// Runs that interrupt, take back or fork.
    pub const TURNS: Self = Self(1 << 7);
    /// EDIT.
    pub const EDIT: Self = Self(1 << 8);
    /// RETRY.
    pub const RETRY: Self = Self(1 << 9);
    /// RESERVE and SETTLE.
    pub const KEYS: Self = Self(1 << 10);
    /// Everything.
    pub const ALL: Self = Self((1 << 11) - 1);

    /// Whether all of these are among them.
    #[must_use]
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }
}
