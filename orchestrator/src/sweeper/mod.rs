//! Finds what was left behind: looks into the due index and does what is due, by the same
//! paths as everybody else.
//!
//! A signal makes things prompt and this makes them certain. It takes no input and may run
//! in any number of replicas: every operation it makes tolerates being made twice.

mod check;
mod dead;
mod entries;
mod reconcile;
mod recover;
mod retention;
mod schedule;

use std::sync::Arc;

use baton_common::Partition;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep_until};

pub(crate) use self::dead::read_dead_letters;
pub(crate) use self::schedule::Nudges;
use self::schedule::Schedule;
use crate::orchestrator::Inner;

/// Partitions asked for at a time.
const PARTITIONS_MAX: usize = 64;

/// Sweeps until the orchestrator stops.
pub(crate) async fn sweep(inner: Arc<Inner>) {
    let slots = inner.sweeps.clone();
    let mut evidence = check::Evidence::new(inner.broker.incarnation());
    if inner.settings.broker_forgets {
        inner.recover().await;
    }
    let mut schedule = Schedule::new(&inner);
    let mut servers = 0;
    loop {
        inner.progress.swept();
        let now = inner.store.incarnation();
        if now != std::mem::replace(&mut servers, now) {
            let task = inner.clone();
            inner.spawn(async move { task.reconcile().await });
        }
        let wake = schedule.next().unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
        tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => return,
            () = sleep_until(wake) => {}
            () = inner.nudges.arrived() => {}
        }
        schedule.take_nudges(&inner.nudges);
        let due = schedule.due(Instant::now());
        for partitions in due.chunks(PARTITIONS_MAX) {
            if inner.shutdown.is_cancelled() {
                return;
            }
            look(&inner, partitions, &mut schedule, &mut evidence, &slots).await;
        }
    }
}

/// Takes what is due in these partitions and hands it to tasks of their own.
async fn look(
    inner: &Arc<Inner>,
    partitions: &[Partition],
    schedule: &mut Schedule,
    evidence: &mut check::Evidence,
    slots: &Arc<Semaphore>,
) {
    let (limit, hide_ms) = (inner.settings.due_page, inner.settings.timings.hide_ms);
    let pages = match inner.store.pop_due(partitions, limit, hide_ms).await {
        Ok(pages) => pages,
        Err(error) => {
            tracing::debug!(%error, "due index not read");
            partitions.iter().for_each(|partition| schedule.later(inner, *partition));
            return;
        }
    };
    for (partition, page) in partitions.iter().zip(pages) {
        inner.clock.heard(page.now);
        evidence.look(inner.broker.incarnation(), page.now);
        schedule.looked(inner, *partition, &page).await;
        for due in page.due {
            let slot = tokio::select! {
                biased;
                () = inner.shutdown.cancelled() => return,
                slot = slots.clone().acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            let (task, evidence, now) = (inner.clone(), *evidence, page.now);
            inner.spawn(async move {
                task.handle(due, evidence, now).await;
                drop(slot);
            });
        }
    }
}
