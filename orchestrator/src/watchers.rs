//! Who watches which run, and the progress shown to them: lossy, never waited for. What
//! is recorded is read from the store; this only says that there may be something new.
//!
//! A worker reports to one replica and people watch at any: progress goes through the store
//! to the others, as far as it takes it. Nothing here waits for that.

use std::collections::BTreeMap;

use std::sync::Arc;

use baton_common::RunId;
use baton_store::Live as Elsewhere;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::time::Duration;

use crate::api::Live;
use crate::seats::Seats;

/// Signals a slow watcher may be behind before it loses some.
const BEHIND_MAX: usize = 256;
/// The largest progress that is shown, in bytes of JSON. Larger ones are results, not progress.
const LIVE_BYTES_MAX: usize = 64 * 1024;

/// How often a watcher looks by itself: where nobody tells it of events that other processes
/// make, and where somebody does.
const POLL: Duration = Duration::from_millis(200);
const POLL_BESIDE: Duration = Duration::from_secs(1);

/// What a watcher is told.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// Look at the events.
    Changed,
    /// Progress of a job.
    Live(Live),
}

/// The watchers of this process.
pub(crate) struct Watchers {
    runs: Mutex<BTreeMap<RunId, broadcast::Sender<Signal>>>,
    /// Who watches how many.
    pub(crate) seats: Seats,
    /// The other processes, where there may be some.
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

impl Watchers {
    pub(crate) fn new(elsewhere: Option<Arc<dyn Elsewhere>>) -> Self {
        Self { runs: Mutex::default(), seats: Seats::default(), elsewhere }
    }

    pub(crate) fn watch(&self, run: RunId) -> broadcast::Receiver<Signal> {
        let mut runs = self.runs.lock();
        runs.retain(|run, watchers| {
            let watched = watchers.receiver_count() > 0;
            if !watched {
                self.leave(*run);
            }
            watched
        });
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.listen(run);
        }
        runs.entry(run).or_insert_with(|| broadcast::channel(BEHIND_MAX).0).subscribe()
    }

    fn leave(&self, run: RunId) {
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.leave(run);
        }
    }

    pub(crate) fn changed(&self, run: RunId) {
        self.tell(run, || Signal::Changed);
    }

    /// Shows progress to whoever watches, here or elsewhere.
    pub(crate) fn live(&self, live: Live) {
        let run = live.job.run;
        if self.elsewhere.is_none() && !self.watched(run) {
            return;
        }
        let text = serde_json::to_string(&live).unwrap_or_default();
        if text.len() > LIVE_BYTES_MAX {
            return;
        }
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.show(run, text);
        }
        self.tell(run, || Signal::Live(live));
    }

    /// Shows here what other processes show.
    pub(crate) async fn hear(&self) {
        let Some(elsewhere) = &self.elsewhere else { return };
        while let Some((run, text)) = elsewhere.heard().await {
            match serde_json::from_str::<Live>(&text) {
                Ok(live) if live.job.run == run => self.tell(run, || Signal::Live(live)),
                _ => tracing::debug!(%run, "progress from elsewhere does not read"),
            }
        }
    }

    /// Tells here of events that other processes make. Those of this one are told of twice.
    pub(crate) async fn follow(&self) {
        let Some(elsewhere) = &self.elsewhere else { return };
        while let Some(run) = elsewhere.changed().await {
            self.changed(run);
        }
    }

    /// How long events of other processes may go unseen where nobody tells of them.
    pub(crate) fn poll(&self) -> Duration {
        if self.elsewhere.is_some() { POLL_BESIDE } else { POLL }
    }

    fn watched(&self, run: RunId) -> bool {
        self.runs.lock().contains_key(&run)
    }

    fn tell(&self, run: RunId, signal: impl FnOnce() -> Signal) {
        let mut runs = self.runs.lock();
        let Some(watchers) = runs.get(&run) else { return };
        if watchers.receiver_count() == 0 || watchers.send(signal()).is_err() {
            runs.remove(&run);
            self.leave(run);
        }
    }
}
