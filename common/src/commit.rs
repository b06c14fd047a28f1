//! What one superstep asks of the store: one atomic write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ChannelName, GroupId, RunId, Version};
use crate::records::{Body, Checkpoint, GroupInfo, RunStatus};
use crate::{Digest, Failure, Hasher, Timestamp};

/// An input of more bytes than this is kept as a recipe and rendered at the claim.
pub const STORED_INPUT_BYTES_MAX: usize = 4096;

/// How an attempt's arguments are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The arguments themselves.
    Args(Value),
    /// Made from the group's base checkpoint by the orchestrator that serves the claim,
    /// with this item of the node's list.
    Recipe {
        /// The item, for a node with `for_each`.
        item: Option<Value>,
        /// In a map with `after`: the indexes it needs, by the names it knows them by.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        needs: BTreeMap<String, u32>,
    },
    /// Either of them, under a key whose recorded result ends the task without running it.
    Keyed {
        /// The key.
        key: ResultKey,
        /// What to run on where nothing is recorded.
        input: Box<Input>,
    },
}

/// A name for a tool's result within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultKey {
    /// The key, rendered.
    pub text: String,
    /// For a cache: how long a result counts, in milliseconds. `None` is a business key:
    /// reserved before the work, so that it is done once, and kept for its own retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// What a job goes on with after its question was answered or its pause is over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Continued {
    /// What it wanted back.
    pub continuation: Option<Value>,
    /// The answer, if it asked.
    pub answer: Option<Value>,
}

/// A question, as the person sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// One line.
    pub title: String,
    /// What to show beside it, by expression text.
    #[serde(default)]
    pub show: Vec<(String, Value)>,
    /// Whether it asks for an approval or for fields.
    pub form: QuestionForm,
}

/// What an answer must look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionForm {
    /// `{action, value?, comment?}` with one of the allowed actions.
    Approval {
        /// What is to be approved.
        original: Value,
        /// `approve`, `edit`, `reject`, `respond`.
        allow: Vec<String>,
        /// JSON Schema of an edited value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Value>,
    },
    /// A value of this JSON Schema.
    Schema(Value),
}

/// One index of a group on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTask {
    /// Input digest.
    pub digest: Digest,
    /// For jobs: [`Input`] as JSON. For asks: [`Question`]. For waits: [`Awaited`]. For
    /// children: [`crate::records::RunInfo`].
    pub body: Body,
    /// When a wait's time is over or a question expires, at the earliest of both forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The same in milliseconds from the moment it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The signal a wait is for. With one, its time ends it as `expired`; without, it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Indexes of the same group that must succeed before it is released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<u32>,
}

impl NewTask {
    /// A task that nothing delays.
    #[must_use]
    pub fn new(digest: Digest, body: Body) -> Self {
        Self { digest, body, at: None, after_ms: None, signal: None, needs: Vec::new() }
    }
}

/// What a wait for a signal is decided by, beside the signal's name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Awaited {
    /// The item, for a node with `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
}

/// A group on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewGroup {
    /// What is fixed about it.
    pub info: Arc<GroupInfo>,
    /// Its indexes in order; empty when they were staged.
    pub tasks: Vec<NewTask>,
}

impl NewGroup {
    /// What is fixed about it, while nobody else knows of it.
    pub fn info_mut(&mut self) -> &mut GroupInfo {
        Arc::make_mut(&mut self.info)
    }
}

/// A piece of an append-like channel, stored once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The channel.
    pub channel: ChannelName,
    /// Its number within the thread.
    pub number: u64,
    /// The elements, as a JSON array.
    pub body: Body,
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnd {
    /// A terminal status.
    pub status: RunStatus,
    /// The graph's output, when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<NodeFailure>,
    /// Of a child that succeeded: compensations that are its caller's from now on, as the
    /// engine keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<Value>,
}

/// A failure and the node it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFailure {
    /// The node, empty for the run itself.
    pub node: String,
    /// What went wrong.
    pub failure: Failure,
}

/// One advance of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The run.
    pub run: RunId,
    /// The version it was computed from.
    pub seen: Version,
    /// H(run, version, consumed groups): repeating it changes nothing.
    pub op: Digest,
    /// The last advance of the run that it was computed from, where it says so: a store that
    /// was set back may come to the same version another way.
    pub after: Option<Digest>,
    /// Closed groups that were folded.
    pub consumed: Vec<GroupId>,
    /// When each of them closed, in their order; empty where it does not say so.
    pub closed_at: Vec<Timestamp>,
    /// Open groups that are no longer wanted.
    pub cancelled: Vec<GroupId>,
    /// New states of the thread, in order; local supersteps have one each.
    pub checkpoints: Vec<Arc<Checkpoint>>,
    /// New pieces of append-like channels.
    pub segments: Vec<Segment>,
    /// Groups to open, detached calls among them.
    pub open: Vec<NewGroup>,
    /// How many staged tasks belong to it; 0 when none were staged.
    pub staged: u32,
    /// Whether the run turns to its compensations: open groups are ended as by a cancel and
    /// close once nothing of them is claimed.
    pub undoing: bool,
    /// The run's end, if this is it.
    pub end: Option<RunEnd>,
}

impl Commit {
    /// The operation id of an advance.
    #[must_use]
    pub fn op(run: RunId, seen: Version, consumed: &[GroupId], reason: &str) -> Digest {
        let hasher = Hasher::new().field("advance").field(run.to_string()).number(seen.0).field(reason);
        consumed.iter().fold(hasher, |hasher, group| hasher.field(group.text())).finish()
    }
}
