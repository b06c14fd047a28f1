//! Quotas as this replica knows them, and what work takes of them: reserved when a job is
//! claimed, settled when its outcome is recorded.
//!
//! The check rides on the claim that a worker makes anyway, so that a call costs a worker no
//! round trip and nothing has to be lent. Which meter counts what, and how, is left to the
//! store; without quotas all of this costs a look at an empty list.

mod admission;
mod claims;
mod waits;

use std::sync::Arc;

use baton_common::Timestamp;
use baton_common::records::{BudgetUnit, Quota, QuotaLimit};
use baton_store::MeterLimit;
use parking_lot::Mutex;
use tokio::time::{Duration, sleep};

pub(crate) use self::claims::{Reserved, Used};
pub(crate) use self::waits::QuotaWait;
use crate::orchestrator::Inner;

/// How often quotas and the store's room are looked at, in milliseconds.
const LOOK_MS: u64 = 2_000;

/// What this replica knows of quotas and of the room there is.
#[derive(Default)]
pub(crate) struct Known {
    quotas: Mutex<Arc<Vec<Quota>>>,
    pressure: Mutex<Option<String>>,
}

impl Known {
    pub(crate) fn quotas(&self) -> Arc<Vec<Quota>> {
        self.quotas.lock().clone()
    }

    /// Why no more runs are taken, if none are.
    fn pressure(&self) -> Option<String> {
        self.pressure.lock().clone()
    }
}

/// A reservation as a token carries it: what its settlement counts, and the meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) counts: Counts,
    pub(crate) meter: String,
}

/// What a settlement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Nothing,
    Tokens,
    MicroUsd,
}

impl Counts {
    fn of(limit: &QuotaLimit) -> Self {
        match limit {
            QuotaLimit::Budget { unit: BudgetUnit::Tokens, .. } => Self::Tokens,
            QuotaLimit::Budget { unit: BudgetUnit::MicroUsd, .. } => Self::MicroUsd,
            _ => Self::Nothing,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Nothing => 'n',
            Self::Tokens => 't',
            Self::MicroUsd => 'm',
        }
    }
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.counts.letter(), self.meter)
    }
}

impl Taken {
    /// The reservation of that text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let letter = letters.next()?;
        let counts = [Counts::Nothing, Counts::Tokens, Counts::MicroUsd];
        let counts = counts.into_iter().find(|counts| counts.letter() == letter)?;
        Some(Self { counts, meter: letters.as_str().to_owned() })
    }
}

/// A limit as its meter knows it, at about that moment.
fn meter_limit(limit: &QuotaLimit, now: Timestamp) -> MeterLimit {
    match *limit {
        QuotaLimit::Concurrency { most } | QuotaLimit::Runs { most } => MeterLimit::Held { most },
        QuotaLimit::Rate { most, per_ms, burst } => MeterLimit::Rate { most, per_ms, burst },
        QuotaLimit::Budget { most, period, .. } => {
            let (from, until) = period.around(now);
            MeterLimit::Budget { most, from, until }
        }
    }
}

impl Inner {
    /// Reads the quotas anew.
    pub(crate) async fn learn_quotas(&self) -> Result<(), baton_store::Error> {
        let quotas = self.store.quotas().await?;
        *self.quotas.quotas.lock() = Arc::new(quotas);
        Ok(())
    }
}

/// Keeps up with quotas that are set elsewhere, and with the room there is.
pub(crate) async fn keep_up(inner: Arc<Inner>) {
    loop {
        if let Err(error) = inner.learn_quotas().await {
            tracing::debug!(%error, "quotas not read");
        }
        inner.look_for_room().await;
        tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => return,
            () = sleep(Duration::from_millis(LOOK_MS)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_reads_as_it_is_written() {
        for counts in [Counts::Nothing, Counts::Tokens, Counts::MicroUsd] {
            let taken = Taken { counts, meter: "0af3".to_owned() };
            assert_eq!(Taken::parse(&taken.to_string()), Some(taken));
        }
        assert_eq!(Taken::parse("x1"), None);
    }
}
