//! A job's way to the blob store, through the control plane and under the job's token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::{BlobRef, ErrorClass, Failure, TenantId};
use baton_control::{Artifact, BlobPlace, ControlPlane, Error, Hold};
use baton_tools::{JobBlobs, Pieces};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Dice};
use crate::held::HeldJob;
use crate::settings::Settings;
use crate::transfer::{SetDown, Ways};
use crate::worker::Shared;

/// Progress that is not taken within this time is dropped, in milliseconds.
const EMIT_MS_MAX: u64 = 1_000;

/// Content in memory up to this size goes through the control plane in one call.
const PASSES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The link of one attempt.
pub(crate) struct JobLink {
    control: Arc<dyn ControlPlane>,
    pub(crate) hold: Hold,
    pub(crate) tenant: TenantId,
    pub(crate) ways: Arc<Ways>,
    cancel: CancellationToken,
    dice: Arc<Dice>,
    settings: Arc<Settings>,
}

impl JobLink {
    pub(crate) fn new(shared: &Shared, job: &HeldJob, tenant: TenantId) -> Self {
        Self {
            control: shared.control.clone(),
            tenant,
            ways: shared.ways.clone(),
            hold: job.hold.clone(),
            cancel: job.cancel.clone(),
            dice: shared.dice.clone(),
            settings: shared.settings.clone(),
        }
    }

    /// Repeats a call while nobody answers, until the attempt is told to stop: every call
    /// of the control plane may be repeated.
    pub(crate) async fn repeat<T, F>(&self, call: impl Fn(Arc<dyn ControlPlane>, Hold) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut backoff = Backoff::new(&self.dice, self.settings.backoff_ms, self.settings.backoff_ms_max);
        let attempt = async {
            loop {
                match call(self.control.clone(), self.hold.clone()).await {
                    Ok(value) => return Ok(value),
                    Err(Error::Unavailable(_)) => backoff.pause().await,
                    Err(Error::Refused(reason)) => return Err(Failure::permanent("blob_refused", reason)),
                }
            }
        };
        let stopped = || Failure::new(ErrorClass::Cancelled, "cancelled", "the attempt was told to stop");
        self.cancel.run_until_cancelled(attempt).await.unwrap_or_else(|| Err(stopped()))
    }

    async fn store(&self, place: BlobPlace, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure> {
        if bytes.len() > PASSES_BYTES_MAX {
            return self.upload(place, media_type, SetDown::memory(bytes)).await;
        }
        let put = |control: Arc<dyn ControlPlane>, hold| {
            let (place, media_type, bytes) = (place.clone(), media_type.to_owned(), bytes.clone());
            async move { control.put_blob(hold, place, media_type, bytes).await }
        };
        self.repeat(put).await
    }
}

impl JobLink {
    async fn set_down(&self, pieces: Pieces) -> Result<SetDown, Failure> {
        let settings = &self.settings;
        SetDown::of(pieces, settings.scratch.as_deref(), settings.blob_bytes_max).await
    }
}

#[async_trait]
impl JobBlobs for JobLink {
    async fn put(&self, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure> {
        self.store(BlobPlace::Value, media_type, bytes).await
    }

    async fn get(&self, blob: &BlobRef) -> Result<Bytes, Failure> {
        let get = |control: Arc<dyn ControlPlane>, hold| {
            let blob = blob.clone();
            async move { control.get_blob(hold, blob).await }
        };
        self.repeat(get).await
    }

    async fn put_artifact(&self, path: &str, media_type: &str, bytes: Bytes) -> Result<BlobRef, Failure> {
        self.store(BlobPlace::Artifact(path.to_owned()), media_type, bytes).await
    }

    async fn put_pieces(&self, media_type: &str, pieces: Pieces) -> Result<BlobRef, Failure> {
        let content = self.set_down(pieces).await?;
        self.upload(BlobPlace::Value, media_type, content).await
    }

    async fn get_pieces(&self, blob: &BlobRef) -> Result<Pieces, Failure> {
        self.download(blob).await
    }

    async fn put_artifact_pieces(&self, path: &str, media_type: &str, pieces: Pieces) -> Result<BlobRef, Failure> {
        let content = self.set_down(pieces).await?;
        self.upload(BlobPlace::Artifact(path.to_owned()), media_type, content).await
    }

    async fn artifacts(&self) -> Result<Vec<Artifact>, Failure> {
        self.repeat(|control, hold| async move { control.list_artifacts(hold).await }).await
    }

    async fn progress(&self, body: Value) {
        let emit = self.control.emit(self.hold.clone(), body);
        let _ = tokio::time::timeout(Duration::from_millis(EMIT_MS_MAX), emit).await;
    }
}
