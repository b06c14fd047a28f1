//! A job between the planes: the message that hints at it, the grant that hands it over,
//! and the outcome that comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{DispatchSeq, IdempotencyKey};
use crate::tool::{Effect, QueueClass};
use crate::{Digest, Failure, Fence, JobId, Payload, TenantId, ThreadId, Timestamp};

/// The largest message body, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 2048;

/// The message body: a hint that a job may be claimed. Never more than
/// [`ENVELOPE_BYTES_MAX`] bytes; the input comes with the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Version of this form; 1.
    pub v: u32,
    /// The store it speaks of: messages of another are dropped.
    pub cluster: Arc<str>,
    /// The job.
    pub job: JobId,
    /// Input digest: a claim that quotes another is stale.
    pub digest: Digest,
    /// The tool's name.
    pub tool: String,
    /// The tool's major version.
    pub tool_major: u32,
    /// Which workers run it.
    pub class: QueueClass,
    /// Whether it may run again.
    pub effect: Effect,
    /// Which publication of the task this is.
    pub dispatch_seq: DispatchSeq,
    /// Whose job it is.
    pub tenant: TenantId,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Lets an authenticated worker of the class claim this job and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// When it was published, by the store's clock: tells how long it waited, and which messages
    /// of its queue should have arrived before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// The broker's queue it was published to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Arc<str>>,
    /// The thread of its run, for log lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
}

/// A job handed to a worker: everything it needs to run one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The job.
    pub job: JobId,
    /// Quoted in the outcome.
    pub digest: Digest,
    /// This attempt's token.
    pub fence: Fence,
    /// From 1; counts tries and lost workers alike.
    pub attempt: u32,
    /// The tool to run.
    pub tool: String,
    /// Its arguments, secrets already in place.
    pub args: Payload,
    /// The same over attempts of this job.
    pub idempotency_key: IdempotencyKey,
    /// Milliseconds the attempt may take.
    pub timeout_ms: u64,
    /// Milliseconds until the lease ends unless it is renewed.
    pub lease_ms: u64,
    /// Whose job it is.
    pub tenant: TenantId,
    /// W3C trace context of the dispatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Bound to (job, fence); required by renew, resume and blobs.
    pub token: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The tool's result.
    Ok(Payload),
    /// Why there is none.
    Error(Failure),
}

impl Outcome {
    /// A result that travels inline.
    pub fn value(value: impl Into<Value>) -> Self {
        Self::Ok(Payload::Inline(value.into()))
    }
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// Work.
    Granted(Box<Grant>),
    /// Nothing to do: acknowledge the message and drop it.
    Drop(DropReason),
    /// Nothing was decided: give the message back and ask again later.
    Later,
}

/// Why a message has nothing behind it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// No such job.
    Unknown,
    /// The run is over or being cancelled.
    RunTerminal,
    /// The generation or the input is another.
    Stale,
    /// It has its outcome already.
    Done,
    /// Another holds it, or it is not due yet.
    Busy,
    /// A `once` job whose worker was lost; a person decides.
    OutcomeUnknown,
    /// The message speaks of another cluster, or its permit is not valid.
    Foreign,
}

impl DropReason {
    /// The name that traces show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::RunTerminal => "run_terminal",
            Self::Stale => "stale",
            Self::Done => "done",
            Self::Busy => "busy",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Foreign => "foreign",
        }
    }
}

/// What became of an outcome offered with resume. All of them are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeAnswer {
    /// Recorded.
    Recorded,
    /// It was there already.
    Duplicate,
    /// Another attempt will follow.
    Retry,
    /// The generation, the input or the phase is another.
    Stale,
    /// A failure of an attempt that no longer holds the job.
    StaleFence,
    /// The run is over.
    RunTerminal,
    /// No such job.
    Unknown,
}

/// What became of one lease at its renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewAnswer {
    /// Held until then.
    Held(Timestamp),
    /// Another attempt may run: stop, but offer a result that is finished anyway.
    Lost,
    /// The run is being cancelled: stop.
    Cancel,
}
