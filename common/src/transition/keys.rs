//! RESERVE and SETTLE: results that are kept under a name of their own, over runs, forks and
//! double submits. A key lies in a partition of its own hash, so these are deliberately not
//! one with a task's transitions: reserve comes before the grant, settle before the record.

use crate::ids::{JobId, Partition, TenantId};
use crate::records::Body;
use crate::{Hasher, Timestamp};

/// The name of a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// Whose.
    pub tenant: TenantId,
    /// Of which tool.
    pub tool: String,
    /// The key.
    pub text: String,
    /// Whether it is of a cache: never reserved.
    pub cache: bool,
}

impl KeyName {
    /// The partition that holds it.
    #[must_use]
    pub fn partition(&self) -> Partition {
        let hasher = Hasher::new().field("key").field(self.tenant.as_str()).field(&self.tool).field(&self.text);
        Partition(hasher.number(u64::from(self.cache)).finish().0[0])
    }
}

/// Looks a key up, and reserves it for a job where it is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The key.
    pub name: KeyName,
    /// For which job.
    pub job: JobId,
    /// For how long unless it is settled, in milliseconds: the job's lease.
    pub lease_ms: u64,
}

/// What became of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveAnswer {
    /// This job may do the work.
    Free,
    /// It is done: [`crate::job::Outcome`] as JSON.
    Done(Body),
    /// Another job does it until then at least.
    Busy(Timestamp),
}

/// Ends a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The key.
    pub name: KeyName,
    /// Who reserved it.
    pub job: JobId,
    /// The result to keep, [`crate::job::Outcome`] as JSON; `None` frees the key.
    pub outcome: Option<Body>,
    /// How long the result is kept, in milliseconds.
    pub keep_ms: u64,
}
