//! At the start of a process whose broker remembers nothing: what earlier processes
//! dispatched is lost for certain, and need not be waited for.

use std::sync::Arc;

use baton_common::Partition;
use baton_common::records::DueKind;

use super::check::Evidence;
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
        let mut checks = entries.into_iter().filter(|(_, due)| due.key.kind == DueKind::Check).peekable();
        if checks.peek().is_none() {
            return Ok(());
        }
        let now = self.store.now().await?;
        for (_, due) in checks {
            if let Some(group) = due.key.group {
                self.check(due.key.run, &group, Evidence::all_lost(now), now).await?;
            }
        }
        Ok(())
    }
}
