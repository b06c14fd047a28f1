//! Watching a run: what is recorded, without gaps, and what jobs show meanwhile, as far as
//! it comes. A commit of this process makes it prompt and a timer makes it certain.

use std::collections::VecDeque;
use std::sync::Arc;

use baton_common::RunId;
use baton_common::records::{Event, EventKind};
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant, timeout};

use super::{ApiError, Caller, WatchStream, Watched};
use crate::orchestrator::{Inner, Orchestrator};
use crate::watchers::Signal;

/// Events read at a time.
const PAGE: u32 = 256;
/// How long events of other processes may go unseen.
const POLL: Duration = Duration::from_millis(200);
/// How often it is looked whether a run without new events is over.
const LOOK: Duration = Duration::from_secs(5);
/// Tries to read before a watcher is told.
const TRIES_MAX: u32 = 50;

impl Orchestrator {
    /// Events of a run behind number `after`, and progress, until the run ends. An error
    /// ends the stream; begin again behind the last event.
    ///
    /// # Errors
    /// When there is no such run for this caller.
    pub async fn watch(&self, caller: &Caller, run: RunId, after: u64) -> Result<WatchStream, ApiError> {
        self.inner.owned(caller, run).await?;
        let signals = self.inner.watchers.watch(run);
        let (inner, found) = (self.inner.clone(), VecDeque::new());
        let watch = Watch { inner, run, after, signals, found, over: false, look_at: Instant::now() };
        Ok(Box::pin(stream::unfold(watch, |mut watch| async move {
            let item = watch.next().await?;
            Some((item, watch))
        })))
    }
}

struct Watch {
    inner: Arc<Inner>,
    run: RunId,
    after: u64,
    signals: broadcast::Receiver<Signal>,
    found: VecDeque<Event>,
    over: bool,
    look_at: Instant,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Watched, ApiError>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(event) = self.found.pop_front() {
                self.after = event.seq;
                self.over = event.kind == EventKind::Ended;
                return Some(Ok(Watched::Event(event)));
            }
            match self.read().await {
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
                Ok(()) if !self.found.is_empty() => continue,
                Ok(()) => {}
            }
            if self.over {
                return None;
            }
            if let Some(live) = self.wait().await {
                return Some(Ok(live));
            }
        }
    }

    /// Reads what is new, and notes the end of a run whose last event was seen before.
    async fn read(&mut self) -> Result<(), ApiError> {
        let mut tries = 0;
        let found = loop {
            match self.inner.store.events(self.run, self.after, PAGE).await {
                Ok(found) => break found,
                Err(baton_store::Error::Unavailable(_)) if tries < TRIES_MAX && !self.inner.shutdown.is_cancelled() => {
                    tries += 1;
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.found = found.into();
        if self.found.is_empty() && Instant::now() >= self.look_at {
            self.look_at = Instant::now() + LOOK;
            let run = self.inner.store.run(self.run).await?;
            self.over = run.is_none_or(|run| run.state.status.is_terminal() && run.state.events <= self.after);
        }
        Ok(())
    }

    /// Waits until there may be something new.
    async fn wait(&mut self) -> Option<Watched> {
        let signal = tokio::select! {
            biased;
            () = self.inner.shutdown.cancelled() => {
                self.over = true;
                return None;
            }
            signal = timeout(POLL, self.signals.recv()) => signal,
        };
        match signal {
            Ok(Ok(Signal::Live(live))) => Some(Watched::Live(live)),
            Ok(Ok(Signal::Changed) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => None,
            Ok(Err(broadcast::error::RecvError::Closed)) => {
                self.signals = self.inner.watchers.watch(self.run);
                None
            }
        }
    }
}
