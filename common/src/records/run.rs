//! Runs: one execution on a thread, from submit to end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Body;
use crate::ids::{Actor, Gen, GraphHash, JobId, RequestId, RunId, Seq, ThreadKey, Version};
use crate::tool::Priority;
use crate::{Digest, Timestamp};

/// A run's status. That it waits is derived: only asks and waits are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for its thread.
    Queued,
    /// May advance.
    Running,
    /// A cancel was asked for; only a terminal advance is left.
    Cancelling,
    /// Compensations are under way.
    Undoing,
    /// Ended with an output.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Ended because it was asked to.
    Cancelled,
    /// An operator must look.
    Stuck,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Undoing,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Stuck,
    ];

    /// Whether the run is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The name users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// What is fixed about a run from its submit on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run.
    pub id: RunId,
    /// Its thread, and with it the tenant.
    pub thread: ThreadKey,
    /// Who submitted it.
    pub actor: Actor,
    /// The version it is pinned to.
    pub graph: GraphHash,
    /// That graph's name, for people.
    pub graph_name: String,
    /// The caller's name for the submit.
    pub request: Option<RequestId>,
    /// H of what was submitted: the same request id with another body is a conflict.
    pub body_digest: Digest,
    /// The oldest program that may advance it.
    pub reader: u32,
    /// When it fails unless it has ended.
    pub deadline: Option<Timestamp>,
    /// Which of a class's queues its jobs wait in.
    pub priority: Priority,
    /// W3C trace context of the submit.
    pub traceparent: Option<String>,
    /// The input, as JSON.
    pub input: Body,
    /// The task it is the work of, for a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<Parent>>,
    /// Whether the results it is computed from are kept, so that it can be replayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record: bool,
    /// How many tasks of one group may be under way at once at most, for a child: its share
    /// of its root's cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// The versions it was pinned to before, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Pin>,
}

/// A version that a run was pinned to before it was pinned to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version.
    pub graph: GraphHash,
    /// The last checkpoint of the thread by the time it was pinned to another.
    pub until: Seq,
    /// The run's advances by then.
    pub advances: u64,
}

impl RunInfo {
    /// It as it was when a checkpoint of its thread was made.
    #[must_use]
    pub fn as_of(&self, seq: Seq) -> Self {
        self.with_pin(|pin| pin.until >= seq)
    }

    /// It as it was when its advance of that number, from 0, was computed.
    #[must_use]
    pub fn as_of_advance(&self, number: u64) -> Self {
        self.with_pin(|pin| pin.advances > number)
    }

    /// The version it was submitted with.
    #[must_use]
    pub fn first_graph(&self) -> GraphHash {
        self.before.last().map_or(self.graph, |pin| pin.graph)
    }

    /// With the oldest pin that counts.
    fn with_pin(&self, counts: impl Fn(&Pin) -> bool) -> Self {
        let Some(place) = self.before.iter().rposition(counts) else { return self.clone() };
        let mut before = self.before.clone();
        let older = before.split_off(place + 1);
        Self { graph: self.before[place].graph, before: older, ..self.clone() }
    }

    /// The thread whose signals it waits for: that of its root.
    #[must_use]
    pub fn signals_to(&self) -> &ThreadKey {
        self.parent.as_ref().map_or(&self.thread, |parent| &parent.root_thread)
    }
}

/// Where a child belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The caller's task, which the child's end is recorded for.
    pub job: JobId,
    /// The run that nobody calls.
    pub root: RunId,
    /// That run's thread: signals are sent to it.
    pub root_thread: ThreadKey,
    /// Where its input is made of what tasks beside it gave: their indexes by name. It is
    /// made when the child starts, and [`RunInfo::input`] is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<BTreeMap<String, u32>>,
}

/// What changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// Where it stands.
    pub status: RunStatus,
    /// Its generation.
    pub r#gen: Gen,
    /// What an advance must have seen.
    pub ver: Version,
    /// Its last checkpoint; 0 before the first.
    pub head: Seq,
    /// Advances so far.
    pub superstep: u64,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When the work it is to fold next became ready: the `now` of its next step.
    pub ready_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The operation of the last advance: repeating it changes nothing.
    pub last_op: Option<Digest>,
    /// Times it was handed out for computing since its last advance.
    pub advance_attempts: u32,
    /// The number of its last event.
    pub events: u64,
    /// Groups that closed and were not consumed.
    pub closed: u32,
    /// Detached calls that have not ended.
    pub detached_open: u32,
    /// The thread's head when its turn came: where a roll-back goes.
    #[serde(default)]
    pub base: Seq,
    /// Whether its next step takes its open activations up again: it was forked or retried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Open waits for a signal.
    #[serde(default)]
    pub awaiting: u32,
    /// Waits for a signal that were released so far: who looked at the signals says up to which.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub waits: u32,
    /// Children that have not ended.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub children: u32,
    /// Whether it turned to its compensations: where a parked run goes back to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoing: bool,
    /// Groups with something left to be stopped, those that are gone among them.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub leaving: u32,
}

impl RunState {
    /// A run at its submit.
    #[must_use]
    pub fn new(status: RunStatus, now: Timestamp) -> Self {
        Self {
            status,
            r#gen: Gen(0),
            ver: Version(1),
            head: Seq(0),
            superstep: 0,
            created_at: now,
            ready_at: now,
            ended_at: None,
            last_op: None,
            advance_attempts: 0,
            events: 0,
            closed: 0,
            detached_open: 0,
            base: Seq(0),
            resumed: false,
            awaiting: 0,
            waits: 0,
            children: 0,
            undoing: false,
            leaving: 0,
        }
    }
}

/// A run, whole: what is fixed, what changes, and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What is fixed.
    pub info: RunInfo,
    /// What changes.
    pub state: RunState,
    /// The output or the failure, as JSON, once it has ended.
    pub end: Option<Body>,
}
