//! After the store's servers became others, which may have forgotten the last of what was
//! acknowledged: tells the audit log what went back, and takes up again what is left half
//! done, without waiting for evidence of each loss.

use std::sync::Arc;

use baton_common::Timestamp;
use baton_common::ids::{Actor, Seq, Version};
use baton_common::records::Audit;
use baton_store::Error;
use tokio::time::{Duration, Instant, sleep};

use crate::orchestrator::Inner;
use crate::remembered::Setback;

/// Between tries while the store does not answer.
const AGAIN: Duration = Duration::from_millis(200);
/// When it is looked again for what was noted since the first look: a primary that was deposed may
/// answer until it knows.
const LATER: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

impl Inner {
    pub(super) async fn reconcile(self: &Arc<Self>) {
        let began = Instant::now();
        let setbacks = self.tell_all_setbacks(None).await;
        tracing::warn!(setbacks, "the store's servers are others than before");
        self.recover().await;
        // What the servers of before answered at the very end may have been noted only since.
        for pause in LATER {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.shutdown.cancelled() => return,
            }
            let setbacks = self.tell_all_setbacks(Some(began)).await;
            if setbacks > 0 {
                tracing::warn!(setbacks, "noted late");
            }
        }
    }

    /// Tells of them once the store answers; how many there were.
    async fn tell_all_setbacks(&self, since: Option<Instant>) -> usize {
        while !self.shutdown.is_cancelled() {
            match self.tell_setbacks(since).await {
                Ok(count) => return count,
                Err(error) => tracing::debug!(%error, "what went back is not known yet"),
            }
            sleep(AGAIN).await;
        }
        0
    }

    /// Appends an audit entry for each run that is behind what this replica saw written, or saw
    /// since a moment.
    async fn tell_setbacks(&self, since: Option<Instant>) -> Result<usize, Error> {
        let missing = self.remembered.missing(&*self.store, since).await?;
        let now = self.store.now().await?;
        for setback in &missing {
            self.states.forget(setback.run);
            self.store.note_setback(entry(setback, now)).await?;
            self.remembered.told(setback);
        }
        Ok(missing.len())
    }
}

fn entry(setback: &Setback, at: Timestamp) -> Audit {
    let Setback { run, known, now } = setback;
    let before = known.head.map_or(Seq(0), |(seq, _)| seq);
    let (after, seq) = now.unwrap_or((Version(0), Seq(0)));
    Audit {
        at,
        tenant: known.thread.tenant.clone(),
        actor: Actor::system(),
        operation: "setback".to_owned(),
        run: *run,
        subject: format!("checkpoint {before}, now {seq}"),
        before: known.ver,
        after,
        verdict: if now.is_some() { "went_back" } else { "gone" }.to_owned(),
        number: 0,
        prior: String::new(),
    }
}
