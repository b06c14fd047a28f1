//! Deletes blobs that no record refers to. Marks what records and needed blobs refer to, then
//! deletes what is old and not marked. Who may ask for it is left to `api`.
//!
//! Why nothing that is needed is lost: what is younger than the grace stays, and whoever refers
//! to content anew refers to none older than [`baton_blobs::content::REUSED_WITHIN_MS`]. Records
//! are read twice, so that a reference that moves from a record not yet read to one read already
//! is seen the second time. Marks only ever say too much. Two sweeps at once delete the same.

mod marks;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::orchestrator::Inner;

/// What a sweep found, in blobs and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BlobSweep {
    /// Blobs that are referred to, or too young to tell.
    pub kept: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Blobs that were deleted, or would have been.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}

/// Sweeps now and then until the orchestrator stops. Replicas spread by chance.
pub(crate) async fn collect(inner: Arc<Inner>) {
    let every_ms = inner.settings.blob_sweep_ms;
    if every_ms == 0 {
        return;
    }
    let shutdown = inner.shutdown.clone();
    let sweeps = async {
        loop {
            tokio::time::sleep(Duration::from_millis(inner.jittered(every_ms.saturating_mul(2)))).await;
            match inner.sweep_blobs(None, false, baton_blobs::content::now()).await {
                Ok(found) => tracing::info!(
                    kept = found.kept,
                    kept_bytes = found.kept_bytes,
                    removed = found.removed,
                    removed_bytes = found.removed_bytes,
                    "blobs swept"
                ),
                Err(error) => tracing::warn!(%error, "blobs not swept"),
            }
        }
    };
    let _ = shutdown.run_until_cancelled(sweeps).await;
}
