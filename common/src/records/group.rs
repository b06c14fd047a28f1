//! Groups: one activation of a node, and the counters that decide about it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::failure::ErrorClass;
use crate::ids::{GraphHash, GroupId, Seq};
use crate::tool::{Effect, QueueClass};

/// What the indexes of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Runs on a worker.
    Job,
    /// A question to a person.
    Ask,
    /// A time or a signal.
    Wait,
    /// A run of its own.
    Child,
}

/// How attempts of a job are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Attempts in all, the first among them; at least 1.
    pub attempts_max: u32,
    /// The pause before the second attempt, in milliseconds; it doubles from there.
    pub backoff_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub backoff_max_ms: u64,
    /// Classes that are tried again.
    pub retry_on: Vec<ErrorClass>,
    /// Codes that are tried again.
    pub retry_codes: Vec<String>,
    /// What one attempt may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What is fixed about a group from its opening on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// The activation.
    pub id: GroupId,
    /// What its indexes are.
    pub kind: TaskKind,
    /// How many there are; at least 1.
    pub count: u32,
    /// How many may be under way at once.
    pub window: u32,
    /// Successes that close it.
    pub need_ok: u32,
    /// More failures than this close it.
    pub max_failed: u32,
    /// Whether it outlives its run and is not waited for.
    pub detached: bool,
    /// Whether it is a compensation, which no cancel touches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The tool its jobs run; empty for asks.
    pub tool: String,
    /// The tool's major version.
    pub tool_major: u32,
    /// Which workers run them.
    pub class: QueueClass,
    /// Where its jobs are published.
    pub queue: String,
    /// Whether an execution may be repeated.
    pub effect: Effect,
    /// How attempts are made.
    pub policy: Policy,
    /// The checkpoint its inputs are made from.
    pub base: Seq,
    /// When it closes with what it has.
    pub deadline: Option<Timestamp>,
    /// The version its inputs are made with, where that is not the one its run was submitted
    /// with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphHash>,
    /// W3C trace context of the superstep that opened it, where spans of its run are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The same of the first span of the segment: of what its run does from a wake to a park.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupPhase {
    /// Indexes are under way.
    #[default]
    Open,
    /// A cancel or the run's compensations ended it: what is at work is waited for, nothing
    /// starts any more, and what has neither ended nor is at work counts as cancelled.
    Stopping,
    /// It has its outcome and waits to be folded; what had not ended counts as cancelled.
    /// Consumed groups leave no row.
    Closed,
    /// It is gone for whoever looks. Its row stays until nothing wakes its tasks any more.
    Dropped,
}

/// What changes about a group: counters that decide in O(1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupState {
    /// Open or closed.
    pub phase: GroupPhase,
    /// The first index that is still held; `count` when none is. Of a linked group: how
    /// many were released, or failed because of others.
    pub next_held: u32,
    /// Indexes that succeeded.
    pub ok: u32,
    /// Indexes that failed.
    pub failed: u32,
    /// Indexes that were cancelled.
    pub cancelled: u32,
    /// Indexes that are to be published.
    pub publishable: u32,
    /// Indexes at work, which a cancel waits for: claimed jobs, and children that have not ended.
    #[serde(default)]
    pub at_work: u32,
    /// Whether the next index is picked from those that may go instead of by counting: some
    /// need others, or the group was taken up again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
    /// Whether ends are left whose consequences for the indexes that need them follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settling: bool,
    /// Of a group that is not open any more: indexes from here on may still have something
    /// that wakes them, or a run of their own that goes on.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub left_from: u32,
    /// The index such indexes end before; none are left where it is not beyond `left_from`.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub left_until: u32,
    /// When it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

impl GroupState {
    /// Indexes that have an outcome.
    #[must_use]
    pub fn ended(&self) -> u32 {
        self.ok + self.failed + self.cancelled
    }

    /// Whether something of its indexes is left to be stopped.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left_from < self.left_until
    }
}

/// A group, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What is fixed.
    pub info: Arc<GroupInfo>,
    /// What changes.
    pub state: GroupState,
}

impl Group {
    /// Whether nothing more is to come: enough successes, too many failures with all that
    /// these lead to, or all ended.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        let GroupState { ok, failed, settling, .. } = self.state;
        let failed = failed > self.info.max_failed && !settling;
        ok >= self.info.need_ok || failed || self.state.ended() >= self.info.count
    }

    /// Whether it is there for whoever looks.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.state.phase != GroupPhase::Dropped
    }
}
