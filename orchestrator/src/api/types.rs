//! What the API is asked and what it shows: plain values, free of wire formats.
//!
//! Status and times come from the records; what waiting means is derived in `runs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;

use baton_common::commit::{NodeFailure, Question};
use baton_common::records::{Event, RunStatus};
use baton_common::tool::{QueueClass, ToolSpec};
use baton_common::{
    Actor, GraphHash, GroupId, InterruptId, JobId, RequestId, RunId, Seq, TenantId, ThreadId, Timestamp, TraceContext,
    WorkerId,
};
use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ApiError;

/// Who asks; from the authenticated caller, never from a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose data may be seen.
    pub tenant: TenantId,
    /// Who stands in records and audit entries.
    pub actor: Actor,
    /// The caller's own span, if the call names one.
    pub trace: Option<TraceContext>,
}

impl Caller {
    /// The caller of a server without configured keys.
    #[must_use]
    pub fn local() -> Self {
        Self { tenant: TenantId::local(), actor: Actor::local(), trace: None }
    }
}

/// The text of a graph and of the files it names, by path relative to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphSource {
    /// The graph, as YAML.
    pub text: String,
    /// Where it came from, for messages.
    pub name: String,
    /// What `file:` refers to, read by the caller.
    pub files: BTreeMap<String, String>,
}

/// Which graph to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphRef {
    /// The version that name means now.
    Name(String),
    /// An applied version.
    Hash(GraphHash),
    /// A graph that need not have been applied. No name will mean it.
    Source(GraphSource),
}

impl GraphRef {
    /// A graph by its name, or a version of it: `name`, or `name@hash`.
    ///
    /// # Errors
    /// When what stands behind the `@` is no hash.
    pub fn named(text: &str) -> Result<Self, baton_common::ids::Error> {
        match text.split_once('@') {
            Some((_, hash)) => hash.parse().map(Self::Hash),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Asks for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitRequest {
    /// What to run.
    pub graph: GraphRef,
    /// Its input: an object.
    pub input: Value,
    /// The caller's name for this submit: repeating it changes nothing.
    pub request_id: Option<RequestId>,
    /// The thread; made up where none is given.
    pub thread: Option<ThreadId>,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
    /// Whether what the run is computed from is kept, so that it can be replayed.
    pub record: bool,
}

/// An accepted submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submitted {
    /// The run.
    pub run: RunId,
    /// Its thread.
    pub thread: ThreadId,
    /// The version it is pinned to.
    pub graph: GraphHash,
    /// Whether the same submit had been accepted before.
    pub existed: bool,
    /// Whether it waits for its thread.
    pub queued: bool,
}

/// Where a run stands, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for its thread.
    Queued,
    /// Something is under way.
    Running,
    /// Only questions are open.
    Waiting,
    /// A cancel is under way.
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

impl Status {
    /// The name users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Cancelling => "cancelling",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The status of a record, without a look at what is open.
    #[must_use]
    pub fn of(status: RunStatus) -> Self {
        match status {
            RunStatus::Queued => Self::Queued,
            RunStatus::Running => Self::Running,
            RunStatus::Cancelling => Self::Cancelling,
            RunStatus::Undoing => Self::Undoing,
            RunStatus::Succeeded => Self::Succeeded,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
            RunStatus::Stuck => Self::Stuck,
        }
    }
}

/// One run in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Its thread.
    pub thread: ThreadId,
    /// The graph's name.
    pub graph_name: String,
    /// The graph's version.
    pub graph: GraphHash,
    /// Where it stands; waiting is not derived here.
    pub status: Status,
    /// Who submitted it.
    pub actor: Actor,
    /// The caller's name for the submit.
    pub request_id: Option<RequestId>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it does not end just now, where that was asked for.
    pub waits: Vec<Wait>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    /// Its line in a listing; `status` is derived.
    pub summary: RunSummary,
    /// What it gave, once it succeeded.
    pub output: Option<Value>,
    /// Why it failed.
    pub failure: Option<NodeFailure>,
    /// Why it does not end just now, what needs somebody first.
    pub waits: Vec<Wait>,
    /// Its open questions, old ones first.
    pub questions: Vec<QuestionView>,
    /// Activations that are under way, those of runs that it called among them.
    pub groups: Vec<GroupView>,
    /// Its last checkpoint.
    pub head: Seq,
    /// Advances so far.
    pub superstep: u64,
    /// The number of its last event.
    pub events: u64,
}

/// One reason why a run does not end just now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Wait {
    /// What kind: `question`, `no_worker`, `claimed` and the like; docs/operations/questions.md
    /// lists them.
    pub code: String,
    /// The node, empty for the run itself.
    pub node: String,
    /// In words.
    pub text: String,
    /// Which item of the node's map it is about, where it is about one of several.
    pub item: Option<u32>,
    /// How many items it is about; 0 where it is not about items.
    pub count: u32,
    /// Since when.
    #[serde(rename = "since_ms")]
    pub since: Option<Timestamp>,
    /// Until when: the end of a lease, the next attempt, the expiry.
    #[serde(rename = "until_ms")]
    pub until: Option<Timestamp>,
    /// What may be done about it; empty where waiting is right.
    pub cure: String,
    /// The run it is about: one that is waited for, or that asks.
    pub run: Option<RunId>,
    /// The worker that has the job, where it is one.
    pub worker: String,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuestionView {
    /// What an answer names.
    pub id: InterruptId,
    /// The run.
    pub run: RunId,
    /// The node.
    pub node: String,
    /// Its place within the node's map; 0 without one.
    pub index: u32,
    /// What is asked, and what an answer must look like.
    pub question: Question,
    /// The JSON Schema of the decision.
    pub schema: Value,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// One activation of a node that is not folded yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// What stands before the node: the way to the called graph it is of; empty for the run's own.
    pub prefix: String,
    /// The activation.
    pub group: GroupId,
    /// The tool, empty for questions.
    pub tool: String,
    /// Where its jobs are published.
    pub queue: String,
    /// Indexes in all.
    pub count: u32,
    /// Held back by `max_parallel`, or not yet taken.
    pub waiting: u32,
    /// In a worker's hands.
    pub claimed: u32,
    /// Succeeded.
    pub ok: u32,
    /// Failed.
    pub failed: u32,
    /// Cancelled.
    pub cancelled: u32,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFilter {
    /// Only runs with this status.
    pub status: Option<RunStatus>,
    /// Only runs of this thread.
    pub thread: Option<ThreadId>,
    /// Only runs submitted before this one: pages go from new to old.
    pub before: Option<(Timestamp, RunId)>,
    /// At most so many; 0 means 100, never more than 1000.
    pub limit: u32,
    /// Whether to tell of each open run why it does not end just now.
    pub why: bool,
}

/// Which question is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// That one.
    Interrupt(InterruptId),
    /// The open one of that node, or beneath it: `node`, `node[2]` within a map, `node#3` for its
    /// third activation, `caller[2]/node` in a called graph.
    Node(String),
}

impl Which {
    /// A question's id has 32 hexadecimal digits; anything else is a node.
    #[must_use]
    pub fn named(question: String) -> Self {
        match question.parse() {
            Ok(id) => Self::Interrupt(id),
            Err(_) => Self::Node(question),
        }
    }
}

/// An accepted answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The question.
    pub interrupt: InterruptId,
    /// Whether the same decision was recorded before.
    pub existed: bool,
}

/// An accepted cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CancelView {
    /// Whether it was asked for before, or the run was over.
    pub existed: bool,
}

/// Events that a watcher asked for and that are not kept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first that is missing.
    pub first: u64,
    /// The last that is missing.
    pub last: u64,
}

/// What watchers see.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// Recorded: numbered without gaps, never lost.
    Event(Event),
    /// Recorded once, and gone since: what follows begins behind it.
    Gap(Gap),
    /// Progress of a job: may be lost.
    Live(Live),
}

/// Progress of a job under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The job.
    pub job: JobId,
    /// What it says.
    pub body: Value,
}

/// Events of a run as they come. Ends behind the event that ends the run.
pub type WatchStream = Pin<Box<dyn Stream<Item = Result<Watched, ApiError>> + Send>>;

/// An applied graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphView {
    /// Its name.
    pub name: String,
    /// The version the name means.
    pub hash: GraphHash,
    /// When it was applied last.
    pub applied_at: Timestamp,
    /// Its canonical source.
    pub source: String,
}

/// An applied graph and what applying changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// Its version.
    pub hash: GraphHash,
    /// Whether the name meant another version before, or nothing.
    pub changed: bool,
}

/// A worker that was seen lately.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerView {
    /// The process.
    pub id: WorkerId,
    /// What it runs.
    pub class: QueueClass,
    /// Jobs it runs at once.
    pub slots: u32,
    /// Its tools.
    pub tools: Vec<ToolSpec>,
    /// Host and process id.
    pub place: String,
    /// Program version.
    pub version: String,
    /// When it announced itself last.
    pub seen_at: Timestamp,
}

/// A queue of the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Messages that wait; `None` where the queue does not exist.
    pub ready: Option<u64>,
    /// Consumers now.
    pub consumers: u64,
}

/// A file a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactView {
    /// Relative path within the run.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Where people find it, for stores that are folders.
    pub file: Option<PathBuf>,
}

/// A file a run left behind, and its content piece by piece.
pub struct ArtifactContent {
    /// Which.
    pub artifact: ArtifactView,
    /// Its bytes.
    pub content: Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>> + Send>>,
}

/// Which entries an audit shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only this run; all of the tenant otherwise.
    pub run: Option<RunId>,
    /// Only what this one did.
    pub actor: Option<Actor>,
    /// Only this: `submit`, `cancel`; or an operation over many by its id.
    pub operation: Option<String>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only up to then.
    pub until: Option<Timestamp>,
    /// At most so many, the newest; 0 means 1000.
    pub limit: u32,
}

/// Whether the parts an orchestrator needs answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The store answered.
    pub store: bool,
    /// The broker takes messages.
    pub broker: bool,
}
