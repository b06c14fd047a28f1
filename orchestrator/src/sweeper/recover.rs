//! At the start of a process whose broker remembers nothing: what earlier processes
//! dispatched is lost for certain, and what they left half done need not be waited for.

use std::sync::Arc;

use baton_common::Partition;
use baton_common::records::DueKind;

use super::check::Evidence;
use crate::driver::Cue;
use crate::orchestrator::Inner;

impl Inner {
    pub(super) async fn recover(self: &Arc<Self>) {
        for partition in Partition::all() {
            if self.shutdown.is_cancelled() {
                return;
            }
            if let Err(error) = self.recover_partition(partition).await {
                tracing::warn!(%partition, %error, "dispatched tasks left to the sweeper");
            }
        }
    }

    async fn recover_partition(self: &Arc<Self>, partition: Partition) -> Result<(), baton_store::Error> {
        let entries = self.store.due(partition).await?;
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.store.now().await?;
        for (_, due) in entries {
            let (run, index) = (due.key.run, due.key.index);
            match (due.key.kind, due.key.group) {
                (DueKind::Check, Some(group)) => self.check(run, &group, Evidence::all_lost(now), now).await?,
                (DueKind::Publish, Some(group)) => self.publish_due(run, &group, index, now).await?,
                (DueKind::Ready, _) => self.advance_soon(run, Cue::Look),
                _ => {}
            }
        }
        Ok(())
    }
}
