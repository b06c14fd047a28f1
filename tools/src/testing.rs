//! For tests of tools, a team's own among them: a call without a worker behind it, whose
//! blobs lie in memory. No part of a running worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use baton_blobs::{Objects, put_content, read_content};
use baton_common::ids::IdempotencyKey;
use baton_common::{BlobRef, Digest, Failure, Fence, JobId, TenantId};
use baton_control::Artifact;
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{Call, Catalogue, JobBlobs, Tool};

/// The first attempt of a job, with a minute to run.
///
/// # Panics
/// Never: the ids it is made of are constants.
#[must_use]
pub fn call() -> Call {
    call_with(Arc::new(MemoryBlobs::default()))
}

/// The same, over these blobs.
///
/// # Panics
/// Never: the ids it is made of are constants.
#[must_use]
#[allow(clippy::unwrap_used, reason = "the id is a constant")]
pub fn call_with(blobs: Arc<dyn JobBlobs>) -> Call {
    let job: JobId = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11/2/node#4/17".parse().unwrap();
    Call {
        idempotency_key: IdempotencyKey::of(&job, Digest::default(), "test"),
        job,
        fence: Fence::default(),
        attempt: 1,
        tenant: TenantId::local(),
        deadline: Instant::now() + Duration::from_secs(60),
        cancel: CancellationToken::new(),
        blobs,
        trace: None,
    }
}

/// Runs one attempt the way a worker does: arguments checked, io tools on the async
/// runtime, cpu tools on a thread of their own.
///
/// # Errors
/// What the check of the arguments or the tool says, and `unknown_tool`.
pub async fn run(catalogue: &Catalogue, name: &str, args: Value, call: &Call) -> Result<Value, Failure> {
    catalogue.validate(name, &args)?;
    match catalogue.get(name).cloned() {
        None => Err(Failure::permanent("unknown_tool", format!("there is no tool {name}"))),
        Some(Tool::Io(tool)) => tool.call(args, call).await,
        Some(Tool::Cpu(tool)) => {
            let (call, runtime) = (call.clone(), tokio::runtime::Handle::current());
            let ran = tokio::task::spawn_blocking(move || tool.call(args, &call, &runtime)).await;
            ran.unwrap_or_else(|_| Err(Failure::permanent("tool_panicked", "the tool panicked")))
        }
    }
}

/// Blobs and artifacts in memory.
#[derive(Debug)]
pub struct MemoryBlobs {
    store: Objects,
    artifacts: Mutex<BTreeMap<String, BlobRef>>,
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self { store: Objects::memory(), artifacts: Mutex::default() }
    }
}

#[async_trait]
impl JobBlobs for MemoryBlobs {
    async fn put(&self, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure> {
        put_content(&self.store, &TenantId::local(), media_type, bytes)
            .await
            .map_err(|e| Failure::transient("blob_failed", e.to_string()))
    }

    async fn get(&self, blob: &BlobRef) -> Result<Bytes, Failure> {
        read_content(&self.store, &TenantId::local(), blob)
            .await
            .map_err(|e| Failure::invalid("blob_failed", e.to_string()))
    }

    async fn put_artifact(&self, path: &str, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure> {
        let blob = self.put(media_type, bytes).await?;
        self.artifacts.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), blob.clone());
        Ok(blob)
    }

    async fn artifacts(&self) -> Result<Vec<Artifact>, Failure> {
        let artifacts = self.artifacts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(artifacts.iter().map(|(path, blob)| Artifact { path: path.clone(), blob: blob.clone() }).collect())
    }

    async fn progress(&self, _body: Value) {}
}
