//! What operators ask of the blob store.

use super::{ApiError, Caller};
use crate::collector::BlobSweep;
use crate::orchestrator::Orchestrator;

impl Orchestrator {
    /// Deletes the caller's blobs that no record refers to and that are older than the grace; a
    /// dry run only tells. It reads every record and every blob of a value.
    ///
    /// # Errors
    /// When the store or the blob store does not answer.
    pub async fn sweep_blobs(&self, caller: &Caller, dry: bool) -> Result<BlobSweep, ApiError> {
        self.inner.sweep_blobs(Some(&caller.tenant), dry, baton_blobs::content::now()).await
    }
}
