//! Tasks: one index of a group, and where it stands.

use serde::{Deserialize, Serialize};

use super::{Group, GroupPhase, TaskKind};
use crate::ids::{ClaimRequest, DispatchSeq, Fence, WorkerId};
use crate::{Digest, ErrorClass, Timestamp};

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
    /// Why it is tried again: class and code of its last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What a task keeps of a failed attempt: `transient connection_refused`.
#[must_use]
pub fn trouble(class: ErrorClass, code: &str) -> String {
    let code: String = code.chars().take(TROUBLE_CODE_MAX).collect();
    format!("{class} {code}")
}

/// Characters of a code that a task keeps.
const TROUBLE_CODE_MAX: usize = 80;

impl Task {
    /// Whether it has its outcome: its own, or that of its group, which closed or stops
    /// without writing each of its tasks.
    #[must_use]
    pub fn is_over(&self, group: &Group) -> bool {
        self.state.is_ended()
            || match group.state.phase {
                GroupPhase::Open => false,
                GroupPhase::Stopping => !self.is_at_work(group.info.kind),
                GroupPhase::Closed | GroupPhase::Dropped => true,
            }
    }

    /// Whether it is claimed, or its child has not ended.
    #[must_use]
    pub fn is_at_work(&self, kind: TaskKind) -> bool {
        match self.state {
            TaskState::Claimed { .. } => true,
            TaskState::Parked => kind == TaskKind::Child,
            _ => false,
        }
    }

    /// The task as it stands for those who look: what its group cancelled is cancelled.
    #[must_use]
    pub fn seen_in(mut self, group: &Group) -> Self {
        if self.is_over(group) && !self.state.is_ended() {
            self.state = TaskState::Cancelled;
        }
        self
    }
}

/// What a task waits for, of the few that wait for more than a worker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// When its question expires or its wait is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The same in milliseconds from its release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The signal it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Of a wait that was released: the moment that ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many indexes of its group must still succeed before it is released.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub needs: u32,
    /// The indexes that need it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed_by: Vec<u32>,
}

impl Terms {
    /// The earlier of both its times, for a release at that moment.
    #[must_use]
    pub fn over_at(&self, now: Timestamp) -> Option<Timestamp> {
        let after = self.after_ms.map(|ms| now.plus_ms(ms));
        self.at.into_iter().chain(after).min()
    }
}
