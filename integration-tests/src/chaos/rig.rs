//! What every drill has: a bed, the history of its clients, people who answer, and runs of the
//! load's kinds.

use std::sync::Arc;
use std::time::Duration;

use baton_testbed::Rabbit;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, BedOptions};
use super::fault::Strike;
use super::history::History;
use super::judge::{self, Verdict};
use super::load::Load;
use super::people::People;

/// The parts of a drill.
pub struct Rig {
    /// Servers and processes.
    pub bed: Bed,
    /// What clients were told.
    pub history: Arc<History>,
    /// Users.
    pub load: Load,
    over: CancellationToken,
    people: JoinHandle<()>,
}

impl Rig {
    /// Starts a bed, applies the graphs and lets people answer.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn start(options: &BedOptions, rabbit: Option<Rabbit>, seed: u64) -> anyhow::Result<Self> {
        let bed = Bed::start(options, rabbit).await?;
        let history = Arc::new(History::default());
        let load = Load::new(bed.api()?, history.clone(), seed);
        load.apply().await?;
        let people = People::new(bed.api()?, history.clone(), bed.ledger_folder(), seed);
        let over = CancellationToken::new();
        let people = tokio::spawn({
            let over = over.clone();
            async move { people.answer_all(over).await }
        });
        Ok(Self { bed, history, load, over, people })
    }

    /// Lets the load come to its end, and judges.
    ///
    /// # Errors
    /// When nobody can be asked.
    pub async fn judge(&self, strikes: &[Strike], within: Duration) -> anyhow::Result<Verdict> {
        if !self.load.finish(within).await {
            let (asked, ended) = self.history.counts();
            self.history.violation(format!("I1: {} of {asked} runs did not end within {within:?}", asked - ended));
        }
        judge::judge(&self.bed, &self.history, strikes).await
    }

    /// Ends the people; the bed is left.
    ///
    /// # Errors
    /// When one of them panicked.
    pub async fn end(self) -> anyhow::Result<Bed> {
        self.over.cancel();
        self.people.await?;
        Ok(self.bed)
    }
}
