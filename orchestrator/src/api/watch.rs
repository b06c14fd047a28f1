//! Watching a run: what is recorded, without gaps, and what jobs show meanwhile, as far as
//! it comes. A commit of this process makes it prompt and a timer makes it certain.
//!
//! A watch reads a page from the store when its reader asks for more, and keeps nothing
//! else for it: a slow reader costs one page of memory, and no run ever waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use baton_common::RunId;
use baton_common::records::{Event, EventKind};
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant, timeout_at};

use super::{ApiError, Caller, ErrorKind, Gap, WatchStream, Watched};
use crate::orchestrator::{Inner, Orchestrator};
use crate::seats::Seat;
use crate::watchers::Signal;

/// Events read at a time.
const PAGE: u32 = 256;
/// Between tries to read.
const POLL: Duration = Duration::from_millis(200);
/// How often a run without new events is looked at: it may be over, or its events gone.
const LOOK: Duration = Duration::from_secs(5);
/// Tries to read before a watcher is told.
const TRIES_MAX: u32 = 50;

impl Orchestrator {
    /// Events of a run behind number `after`, and progress, until the run ends. Events that
    /// are not kept any more are told as a gap, never passed over. An error ends the
    /// stream; begin again behind the last event.
    ///
    /// # Errors
    /// When there is no such run for this caller, or it has no event of that number.
    pub async fn watch(&self, caller: &Caller, run: RunId, after: u64) -> Result<WatchStream, ApiError> {
        let signals = self.inner.watchers.watch(run);
        let found = self.inner.owned(caller, run).await?;
        let seat = self.seat(caller)?;
        known(run, after, found.state.events)?;
        let (inner, now) = (self.inner.clone(), Instant::now());
        let found = VecDeque::new();
        let watch = Watch { inner, run, after, signals, found, over: false, read_at: now, look_at: now, _seat: seat };
        Ok(Box::pin(stream::unfold(watch, |mut watch| async move {
            let item = watch.next().await?;
            Some((item, watch))
        })))
    }

    fn seat(&self, caller: &Caller) -> Result<Seat, ApiError> {
        let max = self.inner.settings.watches_max;
        self.inner.watchers.seats.take(&caller.tenant, max).ok_or_else(|| {
            let cause = format!("the tenant {} watches {max} runs here already", caller.tenant);
            ApiError::new(ErrorKind::Exhausted, "too_many_watches", cause, "close streams that nobody reads")
        })
    }
}

/// A caller who saw more than there is speaks of another run, or of a store that was set
/// back: going on silently would hide what happened instead.
fn known(run: RunId, after: u64, events: u64) -> Result<(), ApiError> {
    if after <= events {
        return Ok(());
    }
    let cause = format!("run {run} has {events} events so far, and none of the number {after}");
    Err(ApiError::new(ErrorKind::Conflict, "event_unknown", cause, "watch it from the start, behind number 0"))
}

struct Watch {
    inner: Arc<Inner>,
    run: RunId,
    /// The last event that was given out, or is known to be gone.
    after: u64,
    signals: broadcast::Receiver<Signal>,
    found: VecDeque<Event>,
    over: bool,
    /// When the store is read next, at the latest.
    read_at: Instant,
    /// When the run itself is looked at next.
    look_at: Instant,
    _seat: Seat,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Watched, ApiError>> {
        while !self.over {
            if let Some(item) = self.take() {
                return Some(Ok(item));
            }
            if Instant::now() >= self.read_at {
                match self.read().await {
                    Ok(None) => {}
                    Ok(Some(gap)) => return Some(Ok(Watched::Gap(gap))),
                    Err(error) => {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
            } else if let Some(live) = self.wait().await {
                return Some(Ok(live));
            }
        }
        None
    }

    /// The next of what was read, or what is missing before it.
    fn take(&mut self) -> Option<Watched> {
        let seq = self.found.front()?.seq;
        if seq > self.after + 1 {
            return Some(Watched::Gap(self.skip_to(seq - 1)));
        }
        let event = self.found.pop_front()?;
        self.after = event.seq;
        self.over = event.kind == EventKind::Ended;
        Some(Watched::Event(event))
    }

    fn skip_to(&mut self, last: u64) -> Gap {
        let gap = Gap { first: self.after + 1, last };
        self.after = last;
        gap
    }

    /// Reads what is new. Without any, looks now and then at the run: it may have ended
    /// before its last event was asked for, or its events may be gone.
    async fn read(&mut self) -> Result<Option<Gap>, ApiError> {
        let looked = if Instant::now() >= self.look_at { Some(self.look().await?) } else { None };
        let found = self.patiently(|inner, run, after| async move { inner.store.events(run, after, PAGE).await });
        self.found = found.await?.into();
        if !self.found.is_empty() {
            return Ok(None);
        }
        self.read_at = Instant::now() + self.inner.watchers.poll();
        // The run was read before its events: what it counted was recorded, and is gone.
        let Some((events, ended)) = looked else { return Ok(None) };
        let gap = (events > self.after).then(|| self.skip_to(events));
        self.over = ended && gap.is_none();
        Ok(gap)
    }

    /// How many events the run has, and whether it is over.
    async fn look(&mut self) -> Result<(u64, bool), ApiError> {
        self.look_at = Instant::now() + LOOK;
        let run = self.patiently(|inner, run, _| async move { inner.store.run(run).await }).await?;
        let Some(run) = run else { return Ok((self.after, true)) };
        known(self.run, self.after, run.state.events)?;
        Ok((run.state.events, run.state.status.is_terminal()))
    }

    /// A read, again and again while the store does not answer.
    async fn patiently<T, F>(&self, read: impl Fn(Arc<Inner>, RunId, u64) -> F) -> Result<T, baton_store::Error>
    where
        F: Future<Output = Result<T, baton_store::Error>>,
    {
        let mut tries = 0;
        loop {
            match read(self.inner.clone(), self.run, self.after).await {
                Err(baton_store::Error::Unavailable(_)) if tries < TRIES_MAX && !self.inner.shutdown.is_cancelled() => {
                    tries += 1;
                    tokio::time::sleep(POLL).await;
                }
                answer => return answer,
            }
        }
    }

    /// Waits until there may be something new. Progress alone is no reason to read.
    async fn wait(&mut self) -> Option<Watched> {
        let signal = tokio::select! {
            biased;
            () = self.inner.shutdown.cancelled() => {
                self.over = true;
                return None;
            }
            signal = timeout_at(self.read_at, self.signals.recv()) => signal,
        };
        match signal {
            Ok(Ok(Signal::Live(live))) => return Some(Watched::Live(live)),
            Ok(Ok(Signal::Changed) | Err(broadcast::error::RecvError::Lagged(_))) => self.read_at = Instant::now(),
            Ok(Err(broadcast::error::RecvError::Closed)) => {
                self.signals = self.inner.watchers.watch(self.run);
                self.read_at = Instant::now();
            }
            Err(_) => {}
        }
        None
    }
}
