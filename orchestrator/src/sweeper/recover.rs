//! At the start of a process whose broker remembers nothing: what earlier processes
//! dispatched is lost for certain, and what they left half done need not be waited for.

use std::sync::Arc;

use baton_common::records::DueKind;
use baton_common::{Partition, Timestamp};
use tokio::time::{Duration, sleep};

use super::check::Evidence;
use crate::driver::Cue;
use crate::orchestrator::Inner;

/// Between tries while the store does not answer, or takes nothing.
const AGAIN: Duration = Duration::from_millis(200);
/// Tries that fail, of all partitions together, before the rest is left to the sweeper.
const TRIES_MAX: u32 = 300;

impl Inner {
    pub(super) async fn recover(self: &Arc<Self>) {
        let (mut began, mut failed) = (None, 0);
        for partition in Partition::all() {
            while let Err(error) = self.recover_partition(partition, &mut began).await {
                failed += 1;
                if failed > TRIES_MAX || self.shutdown.is_cancelled() {
                    tracing::warn!(%partition, %error, "dispatched tasks left to the sweeper");
                    break;
                }
                tracing::debug!(%partition, %error, "dispatched tasks not taken up yet");
                sleep(AGAIN).await;
            }
            if self.shutdown.is_cancelled() {
                return;
            }
        }
    }

    /// What was dispatched before it `began` is lost; what is dispatched meanwhile is not.
    async fn recover_partition(
        self: &Arc<Self>,
        partition: Partition,
        began: &mut Option<Timestamp>,
    ) -> Result<(), baton_store::Error> {
        let entries = self.store.due(partition).await?;
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.store.now().await?;
        let lost_before = *began.get_or_insert(now);
        for (_, due) in entries {
            let (run, index) = (due.key.run, due.key.index);
            match (due.key.kind, due.key.group) {
                (DueKind::Check, Some(group)) => self.check(run, &group, Evidence::all_lost(lost_before), now).await?,
                (DueKind::Publish, Some(group)) => self.publish_due(run, &group, index, now).await?,
                (DueKind::Ready, _) => self.advance_soon(run, Cue::Look),
                _ => {}
            }
        }
        Ok(())
    }
}
