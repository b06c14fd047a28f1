//! What is over: runs are written down and removed, and threads lose what nobody needs.
//!
//! How long each is kept and what is still needed are the store's to say.

use baton_common::transition::{Op, Prune, PruneAnswer};
use baton_common::{RunId, Seq, ThreadKey};
use baton_store::Error;

use crate::about;
use crate::fail::{self, Passed};
use crate::orchestrator::Inner;

/// Checkpoints looked at for a full one.
const LOOKED_AT_MAX: u64 = 2_000;

impl Inner {
    /// Removes a run whose time is over, once it is written down.
    pub(crate) async fn collect(&self, run: RunId) -> Result<(), Error> {
        if self.settings.archive_ms > 0
            && let Some(found) = self.store.run(run).await?
            && found.state.status.is_terminal()
            && found.state.detached_open + found.state.children + found.state.leaving == 0
        {
            if let Err(error) = self.archive_run(&found).await {
                let about = about::of_run(&found.info, None);
                about.in_scope(|| tracing::warn!(%error, "run not archived, it stays"));
                return Ok(());
            }
            if fail::point("after_archive").await == Passed::Error {
                return Err(fail::unknown());
            }
        }
        if self.change_op(Op::Gc { run }).await? {
            self.states.forget_run(run);
        }
        Ok(())
    }

    /// Removes a thread whose time is over, or its checkpoints before the last full one that
    /// somebody needs.
    pub(crate) async fn prune(&self, thread: &ThreadKey) -> Result<(), Error> {
        let ask = |below| self.prune_op(Prune { thread: thread.clone(), below });
        if let PruneAnswer::May { from, bound } = ask(None).await? {
            let below = self.last_full(thread, from, bound).await?;
            while ask(Some(below)).await? == (PruneAnswer::Pruned { more: true }) {}
        }
        Ok(())
    }

    /// The last full checkpoint of a thread up to `bound`; `from` where there is none.
    async fn last_full(&self, thread: &ThreadKey, from: Seq, bound: Seq) -> Result<Seq, Error> {
        let mut seq = bound;
        while seq > from && bound.0 - seq.0 < LOOKED_AT_MAX {
            match self.store.checkpoint(thread, seq).await? {
                Some(checkpoint) if checkpoint.full => return Ok(seq),
                Some(checkpoint) if checkpoint.parent.next() == seq => seq = checkpoint.parent,
                _ => break,
            }
        }
        Ok(from)
    }
}
