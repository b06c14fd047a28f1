//! What one superstep asks of the store: one atomic write.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{GroupId, RunId, Version};
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
    },
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
    },
    /// A value of this JSON Schema.
    Schema(Value),
}

/// One index of a group on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTask {
    /// Input digest.
    pub digest: Digest,
    /// For jobs: [`Input`] as JSON. For asks: [`Question`] as JSON.
    pub body: Body,
}

/// A group on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewGroup {
    /// What is fixed about it.
    pub info: GroupInfo,
    /// Its indexes in order; empty when they were staged.
    pub tasks: Vec<NewTask>,
    /// For asks: when each expires.
    pub expires_at: Option<Timestamp>,
}

/// A piece of an append-like channel, stored once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The channel.
    pub channel: String,
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
    /// Closed groups that were folded.
    pub consumed: Vec<GroupId>,
    /// Open groups that are no longer wanted.
    pub cancelled: Vec<GroupId>,
    /// New states of the thread, in order; local supersteps have one each.
    pub checkpoints: Vec<Checkpoint>,
    /// New pieces of append-like channels.
    pub segments: Vec<Segment>,
    /// Groups to open, detached calls among them.
    pub open: Vec<NewGroup>,
    /// How many staged tasks belong to it; 0 when none were staged.
    pub staged: u32,
    /// The run's end, if this is it.
    pub end: Option<RunEnd>,
}

impl Commit {
    /// The operation id of an advance.
    #[must_use]
    pub fn op(run: RunId, seen: Version, consumed: &[GroupId], reason: &str) -> Digest {
        let hasher = Hasher::new().field("advance").field(run.to_string()).number(seen.0).field(reason);
        consumed.iter().fold(hasher, |hasher, group| hasher.field(group.to_string())).finish()
    }
}
