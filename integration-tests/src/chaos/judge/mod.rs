//! The judge: looks at what clients were told, at the ledger, the events, the store and the
//! broker once everything is quiet, and says which promise was broken.

mod answers;
mod effects;
mod events;
mod leftovers;
mod runs;

use std::time::{Duration, Instant};

use super::api::Api;
use super::bed::Bed;
use super::fault::Strike;
use super::history::{History, Ran};
use super::ledger;

/// What the judge found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Jobs that were executed to their end.
    pub jobs: usize,
    /// Of these, idempotent ones with a ledger.
    pub idempotent: usize,
    /// Jobs that may never run twice, and were begun.
    pub once: usize,
    /// Executions beyond the first of their key.
    pub again: usize,
    /// Executions of a job that may never run twice, beyond the first, after the store had
    /// forgotten that it was begun.
    pub again_after_forgetting: usize,
    /// Names of runs that were lost.
    pub lost: Vec<String>,
    /// Names of runs of which something was done twice.
    pub doubled: Vec<String>,
    /// Runs with their events as they stand now.
    pub runs: Vec<Ran>,
}

/// How long what is left in queues and calls that outlive their runs may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Judges a bed that was healed and has no load any more.
///
/// # Errors
/// When nobody can be asked.
pub async fn judge(bed: &Bed, history: &History, strikes: &[Strike]) -> anyhow::Result<Verdict> {
    let api = bed.direct_api()?;
    let mut verdict = Verdict { violations: history.violations(), runs: history.runs(), ..Verdict::default() };
    runs::judge(&api, &mut verdict).await?;
    events::judge(&api, history, &mut verdict).await?;
    quietly(&api, bed, history, strikes, &mut verdict).await?;
    answers::judge(history, &mut verdict);
    verdict.violations.extend(bed.panics().into_iter().map(|line| format!("a panic in {line}")));
    Ok(verdict)
}

/// What may need a moment after the last run: ledgers, queues, the store.
async fn quietly(
    api: &Api,
    bed: &Bed,
    history: &History,
    strikes: &[Strike],
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut found = Vec::new();
        let effects = ledger::read(&bed.ledger_folder())?;
        effects::judge_ends(&effects, history, verdict, &mut found);
        leftovers::judge(api, bed, history, verdict, &mut found).await?;
        // What is broken already does not mend.
        let broken = !verdict.violations.is_empty();
        if found.is_empty() || broken || began.elapsed() > PATIENCE {
            verdict.violations.extend(found);
            effects::judge_executions(&effects, history, strikes, verdict);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
