//! Collects what the broker confirmed and notes it in the store, off the critical path.
//!
//! A mark that is lost costs a second message and nothing else. A job that is claimed here
//! before its mark was written needs none: the claim took its publish entry away.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::ids::DispatchSeq;
use baton_common::transition::{Mark, Publishable, STAGE_TASKS_MAX};
use baton_common::{GroupId, JobId, Partition, RunId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep_until};

use crate::fail::{self, Passed};
use crate::orchestrator::Inner;

/// Confirmed publications that are not noted yet.
#[derive(Default)]
pub(crate) struct Marks {
    waiting: Mutex<Waiting>,
    earlier: Notify,
}

#[derive(Default)]
struct Waiting {
    batches: BTreeMap<Partition, Batch>,
    /// When the flush looks next by itself; `None` while it waits to be told.
    looks_at: Option<Instant>,
}

struct Batch {
    due: Instant,
    tasks: usize,
    runs: BTreeMap<RunId, BTreeMap<(GroupId, u32), DispatchSeq>>,
}

impl Marks {
    /// Most marks are forgotten before their time comes, so that the flush is woken only
    /// where it would look too late.
    fn add(&self, confirmed: Vec<Publishable>, after: Duration) {
        let mut waiting = self.waiting.lock();
        let due = Instant::now() + after;
        let mut first = due;
        for Publishable { job, seq } in confirmed {
            let fresh = || Batch { due, tasks: 0, runs: BTreeMap::new() };
            let batch = waiting.batches.entry(job.run.partition).or_insert_with(fresh);
            batch.runs.entry(job.run).or_default().insert((job.group, job.index), seq);
            batch.tasks += 1;
            if batch.tasks >= STAGE_TASKS_MAX {
                batch.due = Instant::now();
            }
            first = first.min(batch.due);
        }
        if waiting.looks_at.is_none_or(|looks_at| first < looks_at) {
            waiting.looks_at = Some(first);
            drop(waiting);
            self.earlier.notify_one();
        }
    }

    /// A claim was granted: there is nothing left to note.
    pub(crate) fn forget(&self, job: &JobId) {
        let mut waiting = self.waiting.lock();
        let Some(batch) = waiting.batches.get_mut(&job.run.partition) else { return };
        let Some(tasks) = batch.runs.get_mut(&job.run) else { return };
        tasks.remove(&(job.group.clone(), job.index));
        if tasks.is_empty() {
            batch.runs.remove(&job.run);
        }
        if batch.runs.is_empty() {
            waiting.batches.remove(&job.run.partition);
        }
    }

    /// When to look next, if somebody is to look before being told.
    fn next_look(&self) -> Option<Instant> {
        let mut waiting = self.waiting.lock();
        waiting.looks_at = waiting.batches.values().map(|batch| batch.due).min();
        waiting.looks_at
    }

    /// Batches whose time has come, or all of them.
    fn take(&self, all: bool) -> Vec<Mark> {
        let mut waiting = self.waiting.lock();
        let now = Instant::now();
        let due: Vec<Partition> = waiting
            .batches
            .iter()
            .filter(|(_, batch)| all || batch.due <= now)
            .map(|(partition, _)| *partition)
            .collect();
        let batches = due.into_iter().filter_map(|partition| waiting.batches.remove(&partition));
        let runs = batches.flat_map(|batch| batch.runs);
        runs.map(|(run, tasks)| {
            let tasks = tasks.into_iter().map(|((group, index), seq)| (group, index, seq)).collect();
            Mark { run, tasks }
        })
        .collect()
    }
}

impl Inner {
    /// Notes these publications some time soon.
    pub(crate) fn mark_soon(&self, confirmed: Vec<Publishable>) {
        if !confirmed.is_empty() {
            self.marks.add(confirmed, Duration::from_millis(self.settings.timings.mark_after_ms));
        }
    }

    async fn write_marks(&self, all: bool) {
        for mark in self.marks.take(all) {
            if fail::point("before_mark").await == Passed::Error {
                continue;
            }
            let run = mark.run;
            if let Err(error) = self.mark_op(mark).await {
                self.about(run).in_scope(|| tracing::debug!(%error, "mark not written"));
            }
        }
    }
}

/// Writes marks as their time comes, and what is left at the end.
pub(crate) async fn flush(inner: Arc<Inner>) {
    loop {
        let due = inner.marks.next_look();
        tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => break,
            () = until(due) => inner.write_marks(false).await,
            () = inner.marks.earlier.notified() => {}
        }
    }
    inner.write_marks(true).await;
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
