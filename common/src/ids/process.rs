//! Random ids: a worker process, and one asking for a job.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::Error;

/// One worker process, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

impl WorkerId {
    /// A new one, of 64 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().as_u64_pair().0)
    }
}

/// One CLAIM, kept over its repetitions: a repeated one finds its own grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimRequest(pub u64);

impl ClaimRequest {
    /// A new one, of 64 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().as_u64_pair().1)
    }
}

macro_rules! hex_numbers {
    ($($name:ident = $kind:literal;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                (text.len() == 16)
                    .then(|| u64::from_str_radix(text, 16).ok().map(Self))
                    .flatten()
                    .ok_or_else(|| Error::new($kind, text, "it is 16 hexadecimal digits"))
            }
        }
    )*};
}

hex_numbers! { WorkerId = "worker id"; ClaimRequest = "claim request"; }

text_serde! { WorkerId ClaimRequest }
