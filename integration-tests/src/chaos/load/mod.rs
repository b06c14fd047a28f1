//! The load of a drill: users who submit runs, watch them to their end and submit the next.
//! What must come of a run is in `kind`; who answers questions is up to `people`.

mod kind;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_proto::v1::{Run, RunStatus};
use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use kind::{Kind, Wanted};

use super::api::{Api, Told};
use super::clock::now_ms;
use super::events::Seen;
use super::history::{Call, History};

/// Pause before a call is repeated.
const PAUSE: Duration = Duration::from_millis(60);

/// The load.
#[derive(Clone)]
pub struct Load {
    api: Api,
    history: Arc<History>,
    seed: u64,
    next: Arc<AtomicU64>,
    /// No new runs from now on.
    enough: CancellationToken,
    users: TaskTracker,
}

impl Load {
    /// A load that nobody makes yet.
    #[must_use]
    pub fn new(api: Api, history: Arc<History>, seed: u64) -> Self {
        let (enough, users) = (CancellationToken::new(), TaskTracker::new());
        Self { api, history, seed, next: Arc::default(), enough, users }
    }

    /// Applies the graphs.
    ///
    /// # Errors
    /// When one is refused, or nobody answers.
    pub async fn apply(&self) -> anyhow::Result<()> {
        for graph in Kind::GRAPHS {
            self.api.apply(graph).await?;
        }
        Ok(())
    }

    /// Lets so many users begin.
    pub fn begin(&self, users: usize) {
        for user in 0..users {
            let load = self.clone();
            self.users.spawn(async move { load.user(user).await });
        }
    }

    /// No new runs; waits until those under way have ended, and looks again at those whose end
    /// the store may have forgotten. Whether all did in that time.
    pub async fn finish(&self, within: Duration) -> bool {
        self.enough.cancel();
        self.users.close();
        let ended = async {
            self.users.wait().await;
            let mut rng = StdRng::seed_from_u64(self.seed);
            let again = self.history.ended_in_vain();
            let runs = again.into_iter().map(|wanted| {
                let mut rng = StdRng::seed_from_u64(rng.random());
                async move { self.one(&wanted, &mut rng).await }
            });
            stream::iter(runs).buffer_unordered(16).collect::<Vec<()>>().await;
        };
        tokio::time::timeout(within, ended).await.is_ok()
    }

    async fn user(&self, user: usize) {
        let mut rng =
            StdRng::seed_from_u64(self.seed.wrapping_mul(1_000).wrapping_add(u64::try_from(user).unwrap_or(0)));
        while !self.enough.is_cancelled() {
            let kind = Kind::DRAWN[rng.random_range(0..Kind::DRAWN.len())];
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let wanted = Wanted { kind, request: format!("soak-{}-{number}", self.seed), size: rng.random_range(2..6) };
            self.one(&wanted, &mut rng).await;
        }
    }

    /// One run, from its submit to its end.
    pub async fn one(&self, wanted: &Wanted, rng: &mut StdRng) {
        self.history.submits(wanted);
        loop {
            let run = self.submit(wanted, rng).await;
            if wanted.kind == Kind::Signal {
                self.signal(wanted, &run, rng).await;
            }
            if wanted.kind == Kind::Cancel {
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..800))).await;
                self.cancel(&run, rng).await;
            }
            let mut events = Vec::new();
            if let Some(ended) = self.watch(wanted, &run, &mut events, rng).await {
                self.history.ended(&wanted.request, ended, events);
                return;
            }
            self.history.vanished(&wanted.request);
        }
    }

    async fn submit(&self, wanted: &Wanted, rng: &mut StdRng) -> String {
        loop {
            let place = rng.random_range(0..self.api.places());
            let asked_ms = now_ms();
            match self.api.submit(place, wanted.kind.graph(), &wanted.input(), &wanted.request).await {
                Told::Ok(run) => {
                    self.history.accepted(&wanted.request, &run, Call::since(asked_ms));
                    return run;
                }
                Told::Refused { code, cause } => {
                    self.history.violation(format!("a good submit was refused: {code}: {cause}"));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Told::Unknown => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn signal(&self, wanted: &Wanted, run: &str, rng: &mut StdRng) {
        let mut sent = 0;
        // A signal is sent until somebody says that it was taken, and now and then once more.
        while sent < rng.random_range(1..3) {
            let place = rng.random_range(0..self.api.places());
            match self.api.signal(place, run, &wanted.request, &wanted.told()).await {
                Told::Ok(()) => sent += 1,
                Told::Refused { .. } => return,
                Told::Unknown => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn cancel(&self, run: &str, rng: &mut StdRng) {
        loop {
            let place = rng.random_range(0..self.api.places());
            match self.api.cancel(place, run).await {
                Told::Ok(()) | Told::Refused { .. } => return,
                Told::Unknown => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Watches a run to its end; nothing where nobody knows the run any more.
    async fn watch(&self, wanted: &Wanted, run: &str, events: &mut Vec<Seen>, rng: &mut StdRng) -> Option<Run> {
        let mut unknown = false;
        loop {
            let place = rng.random_range(0..self.api.places());
            if !unknown {
                let after = events.last().map_or(0, |event| event.seq);
                let follow = self.api.follow(place, run, after, |event| events.push(event));
                if let Ok(Ok(Some(ended))) = tokio::time::timeout(Duration::from_secs(20), follow).await {
                    return Some(ended);
                }
            }
            // A stream that broke or stays silent says nothing about the run: it is asked for until somebody
            // answers.
            let seen = self.api.get(place + 1, run).await;
            unknown = matches!(seen, Told::Unknown);
            match seen {
                Told::Ok(run) if is_over(&run) => return Some(run),
                Told::Refused { code, .. } if code == "run_not_found" => return None,
                Told::Refused { code, cause } => {
                    self.history.violation(format!("{}: {code}: {cause}", wanted.request));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Told::Ok(seen) => self.help(wanted, &seen, rng).await,
                Told::Unknown => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What users do where the store may have forgotten what they did: they do it again.
    async fn help(&self, wanted: &Wanted, run: &Run, rng: &mut StdRng) {
        match wanted.kind {
            Kind::Signal if run.waits.iter().any(|wait| wait.code == "signal") => {
                self.signal(wanted, &run.id, rng).await;
            }
            Kind::Cancel if run.status() == RunStatus::Running => self.cancel(&run.id, rng).await,
            _ => {}
        }
    }
}

/// Whether a run has ended.
#[must_use]
pub fn is_over(run: &Run) -> bool {
    matches!(run.status(), RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled)
}
