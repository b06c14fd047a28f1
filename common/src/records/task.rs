//! Tasks: one index of a group, and where it stands.

use serde::{Deserialize, Serialize};

use crate::ids::{ClaimRequest, DispatchSeq, Fence, WorkerId};
use crate::{Digest, Timestamp};

/// Where a task stands; the time each state needs is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Beyond its group's window.
    Held,
    /// To be published, not before then.
    Publishable {
        /// End of a backoff.
        not_before: Timestamp,
    },
    /// The broker confirmed a message.
    Dispatched {
        /// When that was marked.
        at: Timestamp,
    },
    /// A worker holds it.
    Claimed {
        /// The lease's end.
        lease_until: Timestamp,
        /// Who holds it.
        worker: WorkerId,
        /// The claim that was granted.
        request: ClaimRequest,
    },
    /// Waits for an answer, a time, a signal or its run.
    Parked,
    /// A `once` job whose worker was lost; a person decides.
    OutcomeUnknown,
    /// It succeeded.
    Done,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl TaskState {
    /// Whether its outcome is final.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One index of a group. 52 bytes packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Where it stands.
    pub state: TaskState,
    /// Input digest.
    pub digest: Digest,
    /// The newest token; never falls.
    pub fence: Fence,
    /// Attempts that ended in an error of the tool.
    pub app_attempts: u32,
    /// Attempts that ended with the worker.
    pub infra_attempts: u32,
    /// Which publication the newest message is.
    pub dispatch_seq: DispatchSeq,
    /// How often it asked or waited and went on; each has a digest of its own.
    #[serde(default)]
    pub phase: u32,
}
