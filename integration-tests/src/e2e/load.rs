//! A load at a steady rate, whatever the cluster does: each submit is repeated under its request id
//! until it is accepted, at one orchestrator after the other, and some are repeated afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kind::Kind;
use crate::chaos::api::{Api, Told};

/// How long a client repeats a submit before it gives up, which is an error.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause before a submit is repeated.
const PAUSE: Duration = Duration::from_millis(100);
/// Every so manieth accepted submit is repeated, as a client does that missed its answer.
const AGAIN: u64 = 10;

/// One run as it was asked for.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The caller's name for it.
    pub request: String,
    /// Its kind.
    pub kind: Kind,
    /// Its number.
    pub number: u64,
    /// The ids that were told.
    pub runs: Vec<String>,
}

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    submitted: BTreeMap<u64, Submitted>,
    /// When submits were accepted, and how long each had taken since its first try.
    accepted: Vec<(Instant, Duration)>,
    repeated: usize,
    errors: Vec<String>,
}

/// What clients saw from one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Submits accepted.
    pub accepted: usize,
    /// The longest time in which none was.
    pub gap: Duration,
    /// The longest time from the first try of a submit to its answer.
    pub slowest: Duration,
}

/// The load.
#[derive(Clone)]
pub struct Load {
    api: Api,
    name: &'static str,
    seen: Arc<Mutex<Seen>>,
    enough: CancellationToken,
    clients: TaskTracker,
}

impl Load {
    /// Begins to submit so many runs a second, of these kinds in turn.
    #[must_use]
    pub fn begin(api: &Api, name: &'static str, rate: u32, kinds: &'static [Kind]) -> Self {
        let load = Self::new(api, name);
        let pace = load.clone();
        load.clients.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
            for number in 0.. {
                if pace.enough.run_until_cancelled(ticks.tick()).await.is_none() {
                    return;
                }
                let at = usize::try_from(number).unwrap_or(0) % kinds.len();
                pace.submit(kinds[at], number);
            }
        });
        load
    }

    /// Submits so many runs of a kind, and waits until all are accepted.
    pub async fn all(api: &Api, name: &'static str, kind: Kind, count: u64) -> Self {
        let load = Self::new(api, name);
        for first in (0..count).step_by(32) {
            let ones = (first..count.min(first + 32)).map(|number| load.one(kind, number));
            futures_util::future::join_all(ones).await;
        }
        load
    }

    fn new(api: &Api, name: &'static str) -> Self {
        let (seen, enough, clients) = (Arc::default(), CancellationToken::new(), TaskTracker::new());
        Self { api: api.clone(), name, seen, enough, clients }
    }

    fn submit(&self, kind: Kind, number: u64) {
        let load = self.clone();
        self.clients.spawn(async move { load.one(kind, number).await });
    }

    async fn one(&self, kind: Kind, number: u64) {
        let request = format!("{}-{number}", self.name);
        let submitted = Submitted { request: request.clone(), kind, number, runs: Vec::new() };
        self.seen.lock().submitted.insert(number, submitted);
        let began = Instant::now();
        let mut place = usize::try_from(number).unwrap_or(0);
        loop {
            match self.api.submit(place, kind.graph(), &kind.input(number), &request).await {
                Told::Ok(run) => {
                    let again = {
                        let mut seen = self.seen.lock();
                        let Some(own) = seen.submitted.get_mut(&number) else { return };
                        own.runs.push(run);
                        let first = own.runs.len() == 1;
                        if first {
                            seen.accepted.push((Instant::now(), began.elapsed()));
                        }
                        first && number.is_multiple_of(AGAIN)
                    };
                    if !again {
                        return;
                    }
                }
                Told::Refused { code, cause } => {
                    self.seen.lock().errors.push(format!("{request}: {code}: {cause}"));
                    return;
                }
                Told::Unknown if began.elapsed() > PATIENCE => {
                    self.seen.lock().errors.push(format!("{request}: nobody answered in {PATIENCE:?}"));
                    return;
                }
                Told::Unknown => {
                    self.seen.lock().repeated += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
            place += 1;
        }
    }

    /// What clients saw since that moment.
    #[must_use]
    pub fn since(&self, from: Instant) -> Window {
        let seen = self.seen.lock();
        let mut times: Vec<Instant> = seen.accepted.iter().map(|(at, _)| *at).filter(|at| *at >= from).collect();
        times.sort();
        let ends = std::iter::once(from).chain(times.iter().copied());
        let next = times.iter().copied().chain(std::iter::once(Instant::now()));
        let gap = ends.zip(next).map(|(one, other)| other - one).max().unwrap_or_default();
        let within = seen.accepted.iter().filter(|(at, _)| *at >= from);
        let slowest = within.map(|(_, took)| *took).max().unwrap_or_default();
        Window { accepted: times.len(), gap, slowest }
    }

    /// No more submits; waits until those under way have an answer.
    pub async fn end(&self) {
        self.enough.cancel();
        self.clients.close();
        self.clients.wait().await;
    }

    /// Every run that was asked for.
    #[must_use]
    pub fn submitted(&self) -> Vec<Submitted> {
        self.seen.lock().submitted.values().cloned().collect()
    }

    /// How often a submit was repeated because nobody had answered, and what clients saw as errors.
    #[must_use]
    pub fn errors(&self) -> (usize, Vec<String>) {
        let seen = self.seen.lock();
        (seen.repeated, seen.errors.clone())
    }
}
