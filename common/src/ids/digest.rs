//! Ids that are digests of what they name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Error, JobId};
use crate::{Digest, Hasher};

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Digest::parse(text)
                    .map(Self)
                    .ok_or_else(|| Error::new(stringify!($name), text, "it is 32 hexadecimal digits"))
            }
        }
    )*};
}

digests! {
    /// A graph's version: the hash of everything it includes.
    GraphHash;
    /// H(run, gen, group, index, ordinal).
    InterruptId;
    /// What tools are given to recognise a repetition: H(run, group, index, input digest, tool).
    IdempotencyKey;
}

impl InterruptId {
    /// The id of the `ordinal`-th question of a job.
    #[must_use]
    pub fn of(job: &JobId, ordinal: u32) -> Self {
        Self(Hasher::new().field("interrupt").text(job).number(u64::from(ordinal)).finish())
    }
}

impl IdempotencyKey {
    /// The same over attempts, re-publications and a retry in place, since neither
    /// generation nor fence is part of it.
    #[must_use]
    pub fn of(job: &JobId, input: Digest, tool: &str) -> Self {
        Self(
            Hasher::new()
                .field("idempotency")
                .text(&job.run)
                .text(&job.group)
                .number(u64::from(job.index))
                .field(input.0)
                .field(tool)
                .finish(),
        )
    }
}
