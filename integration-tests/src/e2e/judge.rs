//! Looks at a load from outside once it is over: whether each run ended as it had to, under one id,
//! and whether there is a run that nobody asked for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::kind::{self, Jobs};
use super::load::{Load, Submitted};
use crate::chaos::api::Api;
use crate::chaos::load::is_over;

/// Calls at a time.
const AT_ONCE: usize = 16;

/// What came of a load.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Runs asked for.
    pub runs: usize,
    /// Accepted runs that did not end as they had to.
    pub lost: Vec<String>,
    /// Runs under a second id, that nobody asked for, or with a job that was taken twice.
    pub doubled: Vec<String>,
    /// What clients saw as errors.
    pub errors: Vec<String>,
    /// Submits that were repeated because nobody had answered.
    pub repeated: usize,
    /// Its jobs, where events were looked at.
    pub jobs: Jobs,
}

impl Verdict {
    /// All that was wrong.
    pub fn violations(&self) -> impl Iterator<Item = String> + '_ {
        let named = |name: &'static str, all: &'_ [String]| {
            all.iter().map(move |one| format!("{name}: {one}")).collect::<Vec<_>>()
        };
        named("lost", &self.lost).into_iter().chain(named("doubled", &self.doubled)).chain(named("error", &self.errors))
    }
}

/// Judges a load that has ended; its runs may take so long to end as well.
///
/// # Errors
/// When nobody can be asked.
pub async fn judge(api: &Api, load: &Load, within: Duration, events: bool) -> anyhow::Result<Verdict> {
    let submitted = load.submitted();
    let (repeated, errors) = load.errors();
    let mut verdict = Verdict { runs: submitted.len(), repeated, errors, ..Verdict::default() };
    let deadline = Instant::now() + within;
    let judged = stream::iter(submitted.iter().map(|one| judge_one(api, one, deadline, events)));
    let judged: Vec<anyhow::Result<Found>> = judged.buffer_unordered(AT_ONCE).collect().await;
    for found in judged {
        let found = found?;
        verdict.lost.extend(found.lost);
        verdict.doubled.extend(found.doubled);
        verdict.jobs.granted += found.jobs.granted;
        verdict.jobs.again += found.jobs.again;
    }
    verdict.doubled.extend(unknown(api, &submitted).await?);
    Ok(verdict)
}

#[derive(Default)]
struct Found {
    lost: Option<String>,
    doubled: Option<String>,
    jobs: Jobs,
}

async fn judge_one(api: &Api, one: &Submitted, deadline: Instant, events: bool) -> anyhow::Result<Found> {
    let mut found = Found::default();
    // What was never accepted is told among the errors.
    let Some(id) = one.runs.first() else { return Ok(found) };
    if let Some(other) = one.runs.iter().find(|run| *run != id) {
        found.doubled = Some(format!("{} is {id} and {other}", one.request));
    }
    let ended = loop {
        let run = api.got(id).await.with_context(|| one.request.clone())?;
        if is_over(&run) {
            break run;
        }
        if Instant::now() > deadline {
            let waits: Vec<&str> = run.waits.iter().map(|wait| wait.text.as_str()).collect();
            found.lost = Some(format!("{} {id} does not end: {waits:?}", one.request));
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    found.lost = one.kind.wrong(one.number, &ended).map(|wrong| format!("{}: {wrong}", one.request));
    if events {
        match kind::read(one.kind, &api.events(id).await?) {
            Ok(jobs) => found.jobs = jobs,
            Err(wrong) => found.doubled = Some(format!("{} {id}: {wrong}", one.request)),
        }
    }
    Ok(found)
}

/// Runs of the load's graphs that have its names, and that nobody was told of.
async fn unknown(api: &Api, submitted: &[Submitted]) -> anyhow::Result<Vec<String>> {
    let requests: BTreeSet<&str> = submitted.iter().map(|one| one.request.as_str()).collect();
    let told: BTreeSet<&str> = submitted.iter().flat_map(|one| &one.runs).map(String::as_str).collect();
    let runs = api.runs().await?;
    let strange =
        runs.iter().filter(|run| requests.contains(run.request_id.as_str()) && !told.contains(run.id.as_str()));
    Ok(strange.map(|run| format!("nobody was told of {} ({})", run.id, run.request_id)).collect())
}
