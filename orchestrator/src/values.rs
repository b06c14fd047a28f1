//! Results too large for a record lie in the blob store. Where an expression may look into
//! them, they are read again: the same bytes for every replica, since a blob is named by its
//! content.

use baton_common::job::Outcome;
use baton_common::{BlobRef, Payload, TenantId};
use baton_engine::step::{ClosedGroup, Event};

use crate::orchestrator::Inner;

/// The results of one group that are read, in bytes; beyond that all of them stay
/// `{"$blob": …}`.
const GROUP_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Inner {
    /// Puts the large results of an event in place.
    pub(crate) async fn whole_event(&self, tenant: &TenantId, event: &mut Event) -> Result<(), baton_blobs::Error> {
        if let Event::Closed(groups) | Event::Cancelled(groups) = event {
            for group in groups {
                self.whole_group(tenant, group).await?;
            }
        }
        Ok(())
    }

    async fn whole_group(&self, tenant: &TenantId, group: &mut ClosedGroup) -> Result<(), baton_blobs::Error> {
        let blobs = group.outcomes.iter().flatten().filter_map(large);
        let bytes = blobs.fold(0_u64, |bytes, blob| bytes.saturating_add(blob.bytes));
        if bytes == 0 || bytes > GROUP_BYTES_MAX {
            return Ok(());
        }
        for outcome in group.outcomes.iter_mut().flatten() {
            *outcome = Box::pin(self.whole(tenant, outcome.clone())).await?;
        }
        Ok(())
    }

    /// An outcome with its result in place, unless that is larger than what is read.
    pub(crate) async fn whole(&self, tenant: &TenantId, outcome: Outcome) -> Result<Outcome, baton_blobs::Error> {
        let Some(blob) = large(&outcome).filter(|blob| blob.bytes <= GROUP_BYTES_MAX) else { return Ok(outcome) };
        let bytes = baton_blobs::read_content(self.blobs.as_ref(), tenant, blob).await?;
        // What is no JSON after all stays where it is.
        Ok(serde_json::from_slice(&bytes).map_or(outcome, |value| Outcome::Ok(Payload::Inline(value))))
    }
}

/// The place of a result that is a value.
fn large(outcome: &Outcome) -> Option<&BlobRef> {
    match outcome {
        Outcome::Ok(Payload::Blob(blob)) if blob.media_type == "application/json" => Some(blob),
        _ => None,
    }
}
