//! What a tool is: a spec, and a function from arguments to a result.
//!
//! An io tool waits for others and runs on a Tokio slot; a cpu tool computes and runs on a
//! rayon thread of another process. Neither sees the store or the broker.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use baton_common::ids::IdempotencyKey;
use baton_common::tool::ToolSpec;
use baton_common::{BlobRef, Failure, Fence, JobId, TenantId, TraceContext};
use baton_control::Artifact;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// One attempt of a job, as its tool sees it.
#[derive(Clone)]
pub struct Call {
    /// The job.
    pub job: JobId,
    /// The attempt's token.
    pub fence: Fence,
    /// From 1.
    pub attempt: u32,
    /// Hand it to whatever can recognise a repetition.
    pub idempotency_key: IdempotencyKey,
    /// Whose job it is.
    pub tenant: TenantId,
    /// When the attempt's time is over.
    pub deadline: Instant,
    /// Cancelled when the run is, when the lease is lost, and at the deadline.
    pub cancel: CancellationToken,
    /// The job's way to the blob store.
    pub blobs: Arc<dyn JobBlobs>,
    /// The attempt's span, for what the tool does in turn.
    pub trace: Option<TraceContext>,
}

/// Content, piece by piece.
pub type Pieces = BoxStream<'static, Result<Bytes, Failure>>;

/// The blob store as one job sees it.
#[async_trait]
pub trait JobBlobs: Send + Sync {
    /// Stores content that the result will refer to.
    async fn put(&self, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure>;
    /// Reads content that the arguments refer to.
    async fn get(&self, blob: &BlobRef) -> Result<Bytes, Failure>;
    /// Writes a file of the run.
    async fn put_artifact(&self, path: &str, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure>;
    /// Stores content that comes piece by piece, of any size, without keeping it in memory.
    async fn put_pieces(&self, media_type: &str, pieces: Pieces) -> Result<BlobRef, Failure> {
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        self.put(media_type, pieces.concat().into()).await
    }
    /// Reads content piece by piece. Content that is not what its reference says ends with a
    /// failure, so nothing final should come of it before the end.
    async fn get_pieces(&self, blob: &BlobRef) -> Result<Pieces, Failure> {
        let bytes = self.get(blob).await?;
        Ok(stream::once(async move { Ok(bytes) }).boxed())
    }
    /// Writes a file of the run that comes piece by piece.
    async fn put_artifact_pieces(&self, path: &str, media_type: &str, pieces: Pieces) -> Result<BlobRef, Failure> {
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        self.put_artifact(path, media_type, pieces.concat().into()).await
    }
    /// The files of the run, by path.
    async fn artifacts(&self) -> Result<Vec<Artifact>, Failure>;
    /// Shows progress to whoever watches; may be lost.
    async fn progress(&self, body: Value);
}

/// A tool that waits for others.
#[async_trait]
pub trait IoTool: Send + Sync {
    /// Name, class, effect and schema.
    fn spec(&self) -> ToolSpec;
    /// Runs one attempt. `args` satisfy the schema.
    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure>;
}

/// A tool that computes. It looks at `call.cancel` now and then.
pub trait CpuTool: Send + Sync {
    /// Name, class, effect and schema.
    fn spec(&self) -> ToolSpec;
    /// Runs one attempt on a rayon thread. `args` satisfy the schema. `runtime` lets it
    /// block on the blob store.
    fn call(&self, args: Value, call: &Call, runtime: &tokio::runtime::Handle) -> Result<Value, Failure>;
}

/// A tool of either kind.
#[derive(Clone)]
pub enum Tool {
    /// Runs on a Tokio slot.
    Io(Arc<dyn IoTool>),
    /// Runs on a rayon thread.
    Cpu(Arc<dyn CpuTool>),
}

impl Tool {
    /// A tool that waits for others.
    #[must_use]
    pub fn io(tool: impl IoTool + 'static) -> Self {
        Self::Io(Arc::new(tool))
    }

    /// A tool that computes.
    #[must_use]
    pub fn cpu(tool: impl CpuTool + 'static) -> Self {
        Self::Cpu(Arc::new(tool))
    }

    /// Name, class, effect and schema.
    #[must_use]
    pub fn spec(&self) -> ToolSpec {
        match self {
            Self::Io(tool) => tool.spec(),
            Self::Cpu(tool) => tool.spec(),
        }
    }
}
