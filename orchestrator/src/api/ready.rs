//! Whether this orchestrator gets anywhere: not that it lives, but that it would advance a
//! run that came now.

use serde::Serialize;
use tokio::time::{Duration, timeout};

use crate::orchestrator::Orchestrator;

/// How long a computation that does nothing may wait for its turn.
const COMPUTED_WITHIN: Duration = Duration::from_secs(2);
/// How long a round of the sweeper may take. Rounds begin at least every second.
const SWEPT_WITHIN: Duration = Duration::from_secs(15);

/// What an orchestrator needs to get anywhere, and whether it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether all of it is there.
    pub ready: bool,
    /// The store answered.
    pub store: bool,
    /// The broker takes messages.
    pub broker: bool,
    /// A computation had its turn: advances are not stuck behind one another.
    pub compute: bool,
    /// The sweeper moved lately, or runs elsewhere.
    pub sweeper: bool,
    /// It is shutting down.
    pub draining: bool,
}

impl Orchestrator {
    /// Whether this orchestrator gets anywhere.
    pub async fn readiness(&self) -> Readiness {
        let inner = &self.inner;
        let computed = timeout(COMPUTED_WITHIN, inner.compute.run(|| ()));
        let (health, computed) = tokio::join!(self.health(), computed);
        let compute = matches!(computed, Ok(Ok(())));
        let moved = inner.progress.since_swept().is_some_and(|ago| ago <= SWEPT_WITHIN);
        let sweeper = !inner.settings.sweep || moved;
        let draining = inner.shutdown.is_cancelled();
        let (store, broker) = (health.store, health.broker);
        let ready = store && broker && compute && sweeper && !draining;
        Readiness { ready, store, broker, compute, sweeper, draining }
    }
}
