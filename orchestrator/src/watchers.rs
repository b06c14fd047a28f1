//! Who watches which run, and the progress shown to them: lossy, never waited for. What
//! is recorded is read from the store; this only says that there may be something new.

use std::collections::BTreeMap;

use baton_common::RunId;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::api::Live;

/// Signals a slow watcher may be behind before it loses some.
const BEHIND_MAX: usize = 256;
/// The largest progress that is shown, in bytes of JSON. Larger ones are results, not progress.
const LIVE_BYTES_MAX: usize = 64 * 1024;

/// What a watcher is told.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// Look at the events.
    Changed,
    /// Progress of a job.
    Live(Live),
}

/// The watchers of this process.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    runs: Mutex<BTreeMap<RunId, broadcast::Sender<Signal>>>,
}

impl Watchers {
    pub(crate) fn watch(&self, run: RunId) -> broadcast::Receiver<Signal> {
        let mut runs = self.runs.lock();
        runs.retain(|_, watchers| watchers.receiver_count() > 0);
        runs.entry(run).or_insert_with(|| broadcast::channel(BEHIND_MAX).0).subscribe()
    }

    pub(crate) fn changed(&self, run: RunId) {
        self.tell(run, || Signal::Changed);
    }

    /// Shows progress to whoever watches here. Nobody watching costs nothing.
    pub(crate) fn live(&self, live: Live) {
        if self.watched(live.job.run) && live.body.to_string().len() <= LIVE_BYTES_MAX {
            self.tell(live.job.run, || Signal::Live(live));
        }
    }

    fn watched(&self, run: RunId) -> bool {
        self.runs.lock().contains_key(&run)
    }

    fn tell(&self, run: RunId, signal: impl FnOnce() -> Signal) {
        let mut runs = self.runs.lock();
        let Some(watchers) = runs.get(&run) else { return };
        if watchers.receiver_count() == 0 || watchers.send(signal()).is_err() {
            runs.remove(&run);
        }
    }
}
