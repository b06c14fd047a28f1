//! The records a store keeps. SQLite has exactly these as tables; Redis packs them.
//!
//! Bodies that no transition looks into (inputs, results, questions, checkpoints) are JSON
//! texts, so that every adapter keeps and measures the same bytes. What a transition
//! decides by is a field of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::ErrorClass;
use crate::ids::{
    Actor, ClaimRequest, DispatchSeq, Fence, Gen, GraphHash, GroupId, InterruptId, JobId, NodePath, RequestId, RunId,
    Seq, ThreadKey, Version, WorkerId,
};
use crate::tool::{Effect, Priority, QueueClass};
use crate::{Digest, Timestamp};

/// A JSON text that transitions carry and never look into.
pub type Body = String;

/// Long-lived state with a stable name: where its history stands and who runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Whose, and its name.
    pub key: ThreadKey,
    /// The last checkpoint; 0 before the first.
    pub head: Seq,
    /// The run that may advance it.
    pub active: Option<RunId>,
    /// Runs that wait for their turn.
    pub queue: Vec<RunId>,
    /// For each replace-like channel, the checkpoint that last wrote it.
    pub channels: BTreeMap<String, Seq>,
}

impl Thread {
    /// A thread nobody has written yet.
    #[must_use]
    pub fn new(key: ThreadKey) -> Self {
        Self { key, head: Seq(0), active: None, queue: Vec::new(), channels: BTreeMap::new() }
    }
}

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

/// What the indexes of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Runs on a worker.
    Job,
    /// A question to a person.
    Ask,
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
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupPhase {
    /// Indexes are under way.
    Open,
    /// It has its outcome and waits to be folded. Consumed groups leave no row.
    Closed,
}

/// What changes about a group: counters that decide in O(1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// Open or closed.
    pub phase: GroupPhase,
    /// The first index that is still held; `count` when none is.
    pub next_held: u32,
    /// Indexes that succeeded.
    pub ok: u32,
    /// Indexes that failed.
    pub failed: u32,
    /// Indexes that were cancelled.
    pub cancelled: u32,
    /// Indexes that are to be published.
    pub publishable: u32,
}

/// A group, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What is fixed.
    pub info: GroupInfo,
    /// What changes.
    pub state: GroupState,
}

impl Group {
    /// Whether nothing more is to come: enough successes, too many failures, or all ended.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        let GroupState { ok, failed, cancelled, .. } = self.state;
        ok >= self.info.need_ok || failed > self.info.max_failed || ok + failed + cancelled >= self.info.count
    }
}

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
    /// Waits for an answer.
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
}

/// Where a question stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterruptState {
    /// Nobody has answered.
    Open,
    /// One decision, for ever.
    Answered {
        /// The decision, as JSON.
        decision: Body,
        /// Who decided.
        actor: Actor,
        /// When.
        at: Timestamp,
    },
    /// Not answered in time.
    Expired,
    /// Its task ended otherwise.
    Withdrawn,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    /// H(run, gen, group, index, ordinal).
    pub id: InterruptId,
    /// The task it belongs to.
    pub job: JobId,
    /// Where it stands.
    pub state: InterruptState,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// The question, as JSON ([`crate::commit::Question`]).
    pub question: Body,
}

/// Kinds of due entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueKind {
    /// The run may be advanced.
    Ready,
    /// Tasks are to be published.
    Publish,
    /// Dispatched tasks are to be looked after.
    Check,
    /// A lease ends.
    Lease,
    /// A question expires, a group's or a run's time ends.
    Timer,
    /// A cancelled run must end.
    Cancel,
    /// A run's records may go.
    Gc,
}

impl DueKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Ready, Self::Publish, Self::Check, Self::Lease, Self::Timer, Self::Cancel, Self::Gc];

    /// The letter in a member's text.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Ready => 'r',
            Self::Publish => 'p',
            Self::Check => 'k',
            Self::Lease => 'l',
            Self::Timer => 't',
            Self::Cancel => 'c',
            Self::Gc => 'g',
        }
    }
}

/// A due entry: what is to be looked at, of which run. Written `r|RUN`, `p|RUN|GROUP` or
/// `l|RUN|GROUP|INDEX`, where RUN is the uuid alone: the partition is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DueKey {
    /// What to do.
    pub kind: DueKind,
    /// Of which run.
    pub run: RunId,
    /// Of which group, where that matters.
    pub group: Option<GroupId>,
    /// Of which index, where that matters.
    pub index: Option<u32>,
}

impl DueKey {
    /// An entry for a whole run.
    #[must_use]
    pub fn run(kind: DueKind, run: RunId) -> Self {
        Self { kind, run, group: None, index: None }
    }

    /// An entry for a group.
    #[must_use]
    pub fn group(kind: DueKind, run: RunId, group: &GroupId) -> Self {
        Self { kind, run, group: Some(group.clone()), index: None }
    }

    /// An entry for one index of a group.
    #[must_use]
    pub fn task(kind: DueKind, job: &JobId) -> Self {
        Self { kind, run: job.run, group: Some(job.group.clone()), index: Some(job.index) }
    }

    /// The member's text.
    #[must_use]
    pub fn member(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{}|{}", self.kind.letter(), self.run.uuid.simple());
        if let Some(group) = &self.group {
            let _ = write!(text, "|{group}");
        }
        if let Some(index) = self.index {
            let _ = write!(text, "|{index}");
        }
        text
    }

    /// The entry whose member in `partition` is `text`.
    #[must_use]
    pub fn parse(partition: crate::Partition, text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let letter = parts.next()?;
        let kind = DueKind::ALL.into_iter().find(|kind| letter.chars().eq([kind.letter()]))?;
        let uuid = uuid::Uuid::parse_str(parts.next()?).ok()?;
        let group = parts.next().map(str::parse).transpose().ok()?;
        let index = parts.next().map(str::parse).transpose().ok()?;
        Some(Self { kind, run: RunId { partition, uuid }, group, index })
    }
}

/// What happened to a run, for those who watch it. Numbered without gaps per run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// Its place among the run's events, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The group it is about, empty for the run itself: `extract#1`.
    pub group: String,
    /// The index it is about.
    pub index: Option<u32>,
    /// A fence, a checkpoint or a count, as the kind says.
    pub number: u64,
    /// A status, a code or a tool, as the kind says. Never a value of the graph.
    pub text: String,
}

/// Kinds of events; what `number` and `text` hold stands behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Submitted; text is the status.
    Submitted,
    /// Advanced; number is the checkpoint.
    Advanced,
    /// A group was opened; number is its count, text its tool.
    Opened,
    /// A job was claimed; number is the fence, text the worker.
    Claimed,
    /// A task ended or is tried again; number is the fence, text `ok`, `retry`, `failed` or `cancelled`.
    Recorded,
    /// A lease ran out; number is the fence, text what followed.
    LeaseExpired,
    /// A group closed; number is its successes, text `decided`.
    Closed,
    /// A question was asked; text is its id.
    Asked,
    /// A question was answered, expired or withdrawn; text says which.
    Answered,
    /// A cancel was asked for.
    Cancelling,
    /// Parked for an operator; text is the reason's code.
    Parked,
    /// Ended; text is the status.
    Ended,
}

/// Who did what to which run. Appended in the same commit as what it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Whose data.
    pub tenant: crate::TenantId,
    /// Who.
    pub actor: Actor,
    /// What: `submit`, `answer`, `cancel`.
    pub operation: String,
    /// To which run.
    pub run: RunId,
    /// To which part of it: an interrupt's id.
    pub subject: String,
    /// The run's version before.
    pub before: Version,
    /// The run's version after.
    pub after: Version,
    /// The answer it got.
    pub verdict: String,
}

/// One immutable state of a thread: what changed since its parent, or everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its place in the thread.
    pub seq: Seq,
    /// The state it was made from; 0 is none.
    pub parent: Seq,
    /// The run that made it.
    pub run: RunId,
    /// That run's generation.
    pub r#gen: Gen,
    /// That run's advance.
    pub superstep: u64,
    /// The step's `now`.
    pub at: Timestamp,
    /// Whether `writes` holds every replace-like channel.
    pub full: bool,
    /// Values of replace-like channels.
    pub writes: BTreeMap<String, serde_json::Value>,
    /// For each append-like channel, which of its pieces count.
    pub segments: BTreeMap<String, Span>,
    /// Which node wrote which channel.
    pub wrote: BTreeMap<String, NodePath>,
    /// What the engine needs beside the channels to decide again.
    pub control: serde_json::Value,
    /// H of the content, free of generation.
    pub hash: Digest,
}

/// Pieces `base..end` of an append-like channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// The first piece that counts.
    pub base: u64,
    /// One past the last.
    pub end: u64,
}
