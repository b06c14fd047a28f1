//! T1, the soak: a mixed load under random faults on everything, then quiet, then judgement.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::bed::BedOptions;
use super::fault::{COMPONENTS, Strike};
use super::history::History;
use super::judge::Verdict;
use super::nemesis::Nemesis;
use super::recovery;
use super::report::Report;
use super::rig::Rig;
use super::sabotage::Sabotage;

/// How long runs may take after the last fault.
const QUIET: Duration = Duration::from_secs(120);

/// How a soak is made.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// How long faults last.
    pub seconds: u64,
    /// What chance is made of.
    pub seed: u64,
    /// Users that submit one run after the other.
    pub users: usize,
    /// The check that is missing.
    pub sabotage: Option<Sabotage>,
    /// How long runs may take after the last fault.
    pub quiet: Duration,
}

impl SoakOptions {
    /// The usual one.
    #[must_use]
    pub fn new(seconds: u64, seed: u64) -> Self {
        Self { seconds, seed, users: 48, sabotage: None, quiet: QUIET }
    }
}

/// Makes the soak.
///
/// # Errors
/// When it cannot be made; what it shows is in the report.
pub async fn soak(options: &SoakOptions) -> anyhow::Result<Report> {
    let bed_options = BedOptions {
        orchestrators: 3,
        io_workers: 2,
        cpu_workers: 2,
        hurry: 10,
        sabotage: options.sabotage,
        ..BedOptions::default()
    };
    let mut rig = Rig::start(&bed_options, None, options.seed).await?;
    // The graphs are kept before anything is forgotten.
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.load.begin(options.users);
    let enough = CancellationToken::new();
    let timer = tokio::spawn({
        let (enough, seconds) = (enough.clone(), options.seconds);
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            enough.cancel();
        }
    });
    let mut nemesis = Nemesis::new(&mut rig.bed, rig.history.clone(), options.seed)?;
    nemesis.rage(enough).await?;
    let strikes = std::mem::take(&mut nemesis.strikes);
    drop(nemesis);
    timer.await?;
    let verdict = rig.judge(&strikes, options.quiet).await?;
    let mut report = told(options, &strikes, &rig.history, verdict);
    let bed = rig.end().await?;
    if !report.violations.is_empty() && options.sabotage.is_none() {
        let (_, folder) = bed.keep();
        report.notes.push(format!("logs and ledgers are kept in {}", folder.display()));
    }
    Ok(report)
}

fn told(options: &SoakOptions, strikes: &[Strike], history: &History, verdict: Verdict) -> Report {
    let without = options.sabotage.map(|sabotage| format!(", {sabotage}")).unwrap_or_default();
    let mut report = Report::new(format!("T1 soak, {} s, seed {}{without}", options.seconds, options.seed));
    report.rows = recovery::rows(strikes, &verdict.runs, &verdict.lost, &verdict.doubled);
    report.count_kills(strikes);
    let ended = verdict.runs.iter().filter(|ran| ran.ended.is_some()).count();
    report.count("runs", verdict.runs.len());
    report.count("runs that ended", ended);
    report.count("lost", verdict.lost.len());
    report.count("doubled", verdict.doubled.len());
    report.count("jobs", verdict.jobs);
    report.count("idempotent jobs with ledger", verdict.idempotent);
    report.count("jobs that may never run twice", verdict.once);
    report.count("executions begun again", verdict.again);
    report
        .count("of jobs that may never run twice, after the store had forgotten them", verdict.again_after_forgetting);
    report.count("times the store may have forgotten what it acknowledged", history.forgotten().len());
    report.count(
        "runs submitted again because the store forgot them",
        usize::try_from(history.resubmitted()).unwrap_or(0),
    );
    report.count("questions answered", history.decisions().len());
    report.violations = verdict.violations;
    if options.seconds >= 300 {
        enough(&mut report, ended, verdict.jobs, verdict.idempotent, verdict.once);
    }
    report
}

/// A soak of five minutes must show something.
fn enough(report: &mut Report, runs: usize, jobs: usize, idempotent: usize, once: usize) {
    let kills: usize = report.kills.values().sum();
    report.expect(kills >= 100, format!("too little was tried: {kills} kills of 100"));
    for component in COMPONENTS {
        let killed = report.kills.get(component).copied().unwrap_or(0);
        report.expect(killed > 0, format!("too little was tried: no {component} was killed"));
    }
    report.expect(runs >= 2_000, format!("too little was tried: {runs} runs of 2,000"));
    report.expect(2 * idempotent >= jobs, format!("too little was tried: {idempotent} of {jobs} jobs with a ledger"));
    report.expect(once >= 100, format!("too little was tried: {once} of 100 jobs that never run twice"));
}
