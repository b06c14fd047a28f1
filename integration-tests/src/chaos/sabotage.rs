//! Which check of the hand-over a drill does without, to show that it would be missed.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// A check that orchestrators are started without (`BATON_SABOTAGE`). No release can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// An advance compares the version it saw.
    NoCas,
    /// A group that closes leaves a ready entry.
    NoReady,
    /// What was left behind is found.
    NoSweep,
    /// An outcome is recorded once.
    NoDedup,
    /// Results of a forgotten time line are told apart.
    NoDigest,
    /// Failures count with the current fence only.
    NoFence,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NoCas, Self::NoReady, Self::NoSweep, Self::NoDedup, Self::NoDigest, Self::NoFence];

    /// As orchestrators know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCas => "no-cas",
            Self::NoReady => "no-ready",
            Self::NoSweep => "no-sweep",
            Self::NoDedup => "no-dedup",
            Self::NoDigest => "no-digest",
            Self::NoFence => "no-fence",
        }
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Sabotage {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|known| known.name() == text) {
            Some(known) => Ok(known),
            None => bail!("no sabotage {text:?}: use one of {}", Self::ALL.map(Self::name).join(", ")),
        }
    }
}
