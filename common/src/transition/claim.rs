//! CLAIM and RENEW: how a worker comes to hold a job.

use std::sync::Arc;

use super::Tail;
use crate::ids::{ClaimRequest, Fence, JobId, Partition, WorkerId};
use crate::records::{Body, GroupInfo};
use crate::{Digest, Timestamp};

/// Takes a job for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// The input the message speaks of.
    pub digest: Digest,
    /// Who asks.
    pub worker: WorkerId,
    /// Which asking it is.
    pub request: ClaimRequest,
    /// Length of the lease, in milliseconds.
    pub lease_ms: u64,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimVerdict {
    /// The worker holds the job.
    Granted(Box<Granted>),
    /// No such job.
    Unknown,
    /// The run is over or being cancelled.
    RunTerminal,
    /// The generation or the input is another.
    Stale,
    /// It has its outcome.
    Done,
    /// Held, parked, leased or not yet due.
    Busy,
    /// A `once` job whose lease is over.
    OutcomeUnknown,
    /// Too many workers were lost with it; it failed for good.
    Poison(Box<Tail>),
}

/// What a granted claim needs to make arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The attempt's token.
    pub fence: Fence,
    /// From 1.
    pub attempt: u32,
    /// The lease's end.
    pub lease_until: Timestamp,
    /// The group it belongs to.
    pub group: Arc<GroupInfo>,
    /// [`crate::commit::Input`] as JSON.
    pub body: Body,
    /// [`crate::commit::Continued`] as JSON, after an ask or a wait.
    pub continued: Option<Body>,
}

/// Prolongs leases of one worker in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renew {
    /// The partition all jobs lie in.
    pub partition: Partition,
    /// Who holds them.
    pub worker: WorkerId,
    /// The jobs and the tokens they are held with.
    pub leases: Vec<(JobId, Fence)>,
    /// Length of a lease, in milliseconds.
    pub lease_ms: u64,
}
