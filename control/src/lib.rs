//! What a worker may ask of the control plane, as one trait, and its gRPC client.
//!
//! Embedded mode hands workers a direct handle; a cluster gives them [`grpc`]. Workers
//! never see the store, and nothing here decides anything about a graph.

pub mod grpc;
pub mod transfer;

use std::collections::BTreeMap;

use std::sync::Arc;

use async_trait::async_trait;
use baton_common::ids::{ClaimRequest, Fence, JobId, WorkerId};
use baton_common::job::{ClaimAnswer, Envelope, Grant, Outcome, RenewAnswer, ResumeAnswer};
use baton_common::tool::{QueueClass, ToolSpec};
use baton_common::{BlobRef, Digest, ThreadId, TraceContext};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

pub use transfer::{Berth, Pieces, Upload, Way};

/// What a worker says of itself when it starts, and repeats to stay listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// This process.
    pub worker: WorkerId,
    /// What it runs.
    pub class: QueueClass,
    /// Jobs it runs at once.
    pub slots: u32,
    /// Its tools.
    pub tools: Vec<ToolSpec>,
    /// Host and process id, for people.
    pub place: String,
    /// Program version.
    pub version: String,
    /// The queues it takes from, without the lanes beside them; those of its class where none is
    /// said.
    pub queues: Vec<String>,
    /// How many jobs it has in hand, by the queue they came from.
    pub held: BTreeMap<String, u32>,
}

/// What the control plane answers to an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The store's name: messages of another cluster are dropped.
    pub cluster: String,
    /// Length of a lease, in milliseconds; renew at a third of it.
    pub lease_ms: u64,
    /// Announce again within so many milliseconds.
    pub announce_ms: u64,
}

/// One claim of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCall {
    /// The message that hinted at the job.
    pub envelope: Arc<Envelope>,
    /// Kept over repetitions of this call, so that a repeated claim finds its own grant.
    pub request: ClaimRequest,
}

/// What proves that a job is held: required by renew, resume and blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub fence: Fence,
    /// The token that came with the grant.
    pub token: Arc<str>,
    /// The attempt's number, where that is known: for log lines.
    pub attempt: Option<u32>,
    /// The thread of the job's run, where that is known: for log lines.
    pub thread: Option<ThreadId>,
}

impl Hold {
    /// What proves it; what log lines say beside it is not known.
    #[must_use]
    pub fn new(job: JobId, fence: Fence, token: impl Into<Arc<str>>) -> Self {
        Self { job, fence, token: token.into(), attempt: None, thread: None }
    }

    /// Of whom a job was granted to.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        let attempt = Some(grant.attempt);
        Self { attempt, ..Self::new(grant.job.clone(), grant.fence, grant.token.as_str()) }
    }
}

/// An outcome offered to the control plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    /// The job and its token.
    pub hold: Hold,
    /// The digest of the grant.
    pub digest: Digest,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// The worker's span, which the record hangs below.
    pub trace: Option<TraceContext>,
}

/// Where a blob is to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobPlace {
    /// Content that a result refers to; its key is derived from its digest.
    Value,
    /// A file of the run, at that relative path.
    Artifact(String),
}

/// An artifact of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Relative path within the run.
    pub path: String,
    /// Where it lies.
    pub blob: BlobRef,
}

/// Why the control plane did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is known of what happened: repeat the call.
    #[error("control plane unavailable: {0}")]
    Unavailable(String),
    /// Repeating the call will not help.
    #[error("control plane refused: {0}")]
    Refused(String),
}

/// What a worker may ask. Every call may be repeated: repeating one changes nothing.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// Lists this worker and its tools.
    async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error>;

    /// Claims jobs; one answer for each call, in their order.
    async fn claim(&self, worker: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error>;

    /// Renews leases; one answer for each hold, in their order.
    async fn renew(&self, worker: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error>;

    /// Offers an outcome. Every `Ok` answer is final.
    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error>;

    /// Gives a job back that this worker will not finish: it leaves. Every `Ok` answer is
    /// final; the digest is that of the grant.
    async fn give_back(&self, hold: Hold, digest: Digest) -> Result<ResumeAnswer, Error>;

    /// Shows progress to whoever watches; may be lost, never waited for.
    async fn emit(&self, hold: Hold, body: Value) -> Result<(), Error>;

    /// Stores bytes for the job's run.
    async fn put_blob(&self, hold: Hold, place: BlobPlace, media_type: String, bytes: Bytes) -> Result<BlobRef, Error>;

    /// Reads a blob of the job's tenant.
    async fn get_blob(&self, hold: Hold, blob: BlobRef) -> Result<Bytes, Error>;

    /// Asks where a blob is to lie and how it gets there without passing the control plane.
    async fn open_upload(&self, hold: Hold, upload: Upload) -> Result<Berth, Error> {
        let _ = (hold, upload);
        Ok(Berth::through())
    }

    /// Tells that a blob lies where [`ControlPlane::open_upload`] said. It is compared with its
    /// reference, and counts from the answer on.
    async fn close_upload(&self, hold: Hold, place: BlobPlace, blob: BlobRef) -> Result<BlobRef, Error> {
        let _ = (hold, place, blob);
        Err(Error::Refused("this control plane takes blobs through itself alone".to_owned()))
    }

    /// Asks how a blob is reached without passing the control plane.
    async fn open_download(&self, hold: Hold, blob: BlobRef) -> Result<Way, Error> {
        let _ = (hold, blob);
        Ok(Way::Through)
    }

    /// Stores bytes for the job's run that come piece by piece.
    async fn put_stream(&self, hold: Hold, upload: Upload, pieces: Pieces) -> Result<BlobRef, Error> {
        let bytes: Vec<Bytes> = pieces.try_collect().await?;
        self.put_blob(hold, upload.place, upload.media_type, bytes.concat().into()).await
    }

    /// Reads a blob of the job's tenant piece by piece. One that is not what its reference says
    /// ends with an error.
    async fn get_stream(&self, hold: Hold, blob: BlobRef) -> Result<Pieces, Error> {
        let bytes = self.get_blob(hold, blob).await?;
        Ok(stream::once(async move { Ok(bytes) }).boxed())
    }

    /// The artifacts of the job's run, by path.
    async fn list_artifacts(&self, hold: Hold) -> Result<Vec<Artifact>, Error>;
}
