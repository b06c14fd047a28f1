//! Scenarios: one kind of trouble each, made on purpose, with what must come of it. They are
//! named as in the catalogue of `docs/reliability.md`.

mod backlog;
mod bounds;
mod broker;
mod clocks;
mod double_click;
mod forged;
mod forgetting;
mod full;
mod half_open;
mod long_job;
mod points;
mod promotion;
mod rolling;
mod schedules;
mod slow_reader;
mod versions;
mod wide;
mod zombie;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use baton_testbed::Rabbit;
use tokio::time::Instant;

use super::report::Report;
use super::sabotage::Sabotage;
use super::soak::{SoakOptions, soak};

/// A scenario of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Everything at once.
    Soak,
    /// Each named point of a process: it dies, waits, fails, repeats itself.
    Points,
    /// The store forgets its last moments.
    Forgetting,
    /// A job far longer than the broker waits for.
    LongJob,
    /// A queue that is long and slow.
    Backlog,
    /// A worker that comes back from the dead.
    Zombie,
    /// Many people answer one question at once.
    DoubleClick,
    /// The broker dies, is emptied and refuses.
    Broker,
    /// One orchestrator after the other is replaced.
    Rolling,
    /// Thousands of jobs of one node, and what is large.
    Wide,
    /// A replica, at times one that was held back, takes the store's place.
    Promotion,
    /// Schedules while orchestrators come and go.
    Schedules,
    /// No memory, no disk.
    Full,
    /// Connections whose other end is gone.
    HalfOpen,
    /// An older program beside later ones.
    Versions,
    /// Somebody who reads events slowly.
    SlowReader,
    /// Messages that are garbage, forged, or played again.
    Forged,
    /// One kill at a time, and how long it is felt.
    Bounds,
    /// Clocks that are wrong.
    Clocks,
}

/// What a scenario is given.
pub struct Given {
    /// What chance is made of.
    pub seed: u64,
    /// The check that is missing.
    pub sabotage: Option<Sabotage>,
    /// A broker that runs already.
    pub rabbit: Option<Rabbit>,
    /// Whether it takes its time; else it is quick.
    pub full: bool,
}

impl Given {
    /// One number or the other.
    fn pick(&self, quick: usize, full: usize) -> usize {
        if self.full { full } else { quick }
    }
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Soak,
        Self::Points,
        Self::Forgetting,
        Self::LongJob,
        Self::Backlog,
        Self::Zombie,
        Self::DoubleClick,
        Self::Broker,
        Self::Rolling,
        Self::Wide,
        Self::Promotion,
        Self::Schedules,
        Self::Full,
        Self::HalfOpen,
        Self::Versions,
        Self::SlowReader,
        Self::Forged,
        Self::Bounds,
        Self::Clocks,
    ];

    /// Its name in the catalogue.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Soak => "T1",
            Self::Points => "T2",
            Self::Forgetting => "T3",
            Self::LongJob => "T4",
            Self::Backlog => "T5",
            Self::Zombie => "T6",
            Self::DoubleClick => "T7",
            Self::Broker => "T8",
            Self::Rolling => "T9",
            Self::Wide => "T10",
            Self::Promotion => "T11",
            Self::Schedules => "T12",
            Self::Full => "T13",
            Self::HalfOpen => "T14",
            Self::Versions => "T15",
            Self::SlowReader => "T16",
            Self::Forged => "T17",
            Self::Bounds => "T19",
            Self::Clocks => "T20",
        }
    }

    /// The scenario that misses a check soonest.
    #[must_use]
    pub fn that_misses(sabotage: Sabotage) -> Self {
        match sabotage {
            Sabotage::NoCas | Sabotage::NoReady | Sabotage::NoSweep | Sabotage::NoDedup => Self::Points,
            Sabotage::NoDigest => Self::Forgetting,
            Sabotage::NoFence => Self::Zombie,
        }
    }

    /// Plays it. The broker it was given is handed back where it still runs.
    ///
    /// # Errors
    /// When it cannot be played; what it shows is in the report.
    pub async fn play(self, given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
        match self {
            Self::Soak => {
                let mut options = SoakOptions::new(if given.full { 300 } else { 12 }, given.seed);
                options.sabotage = given.sabotage;
                if !given.full {
                    options.users = 12;
                }
                Ok((soak(&options).await?, given.rabbit))
            }
            Self::Points => points::play(given).await,
            Self::Forgetting => forgetting::play(given).await,
            Self::LongJob => long_job::play(given).await,
            Self::Backlog => backlog::play(given).await,
            Self::Zombie => zombie::play(given).await,
            Self::DoubleClick => double_click::play(given).await,
            Self::Broker => broker::play(given).await,
            Self::Rolling => rolling::play(given).await,
            Self::Wide => wide::play(given).await,
            Self::Promotion => promotion::play(given).await,
            Self::Full => full::play(given).await,
            Self::Schedules => schedules::play(given).await,
            Self::HalfOpen => half_open::play(given).await,
            Self::Versions => versions::play(given).await,
            Self::SlowReader => slow_reader::play(given).await,
            Self::Forged => forged::play(given).await,
            Self::Bounds => bounds::play(given).await,
            Self::Clocks => clocks::play(given).await,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)) {
            Some(known) => Ok(known),
            None => bail!("no scenario {text:?}: use one of {}", Self::ALL.map(Self::name).join(", ")),
        }
    }
}

/// Asks again and again until something is there, or says what was awaited.
async fn until<T, F>(what: &str, within: Duration, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
