//! The store, seen from outside: counts steps, notes when they ended, tells which runs
//! ended, and keeps the transitions where they are to be played again.
//!
//! It changes nothing that goes through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use baton_common::Partition;
use baton_common::ids::RunId;
use baton_common::transition::{AdvanceAnswer, DuePage, Op, RecordVerdict, Reply};
use baton_store::{Error, Store};
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The store behind a probe.
pub struct Probe {
    store: Arc<dyn Store>,
    steps: AtomicU64,
    marks: AtomicU64,
    watching: AtomicBool,
    last: Mutex<BTreeMap<RunId, Instant>>,
    submitted: Mutex<BTreeSet<RunId>>,
    took: Mutex<Vec<f64>>,
    ended: UnboundedSender<RunId>,
    kept: Option<Mutex<Vec<Op>>>,
}

impl Probe {
    /// Reads go through as they are.
    async fn unseen(&self, _name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Over that store; the receiver hears of each submitted run that ends: to be woken for each
    /// run that these call would cost more than such a run. With `keep` it keeps every transition.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keep: bool) -> (Arc<Self>, UnboundedReceiver<RunId>) {
        let (ended, ends) = unbounded_channel();
        let probe = Self {
            store,
            steps: AtomicU64::new(0),
            marks: AtomicU64::new(0),
            watching: AtomicBool::new(false),
            last: Mutex::default(),
            submitted: Mutex::default(),
            took: Mutex::default(),
            ended,
            kept: keep.then(Mutex::default),
        };
        (Arc::new(probe), ends)
    }

    /// Outcomes recorded so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Marks written so far.
    #[must_use]
    pub fn marks(&self) -> u64 {
        self.marks.load(Ordering::Relaxed)
    }

    /// Begins or ends noting what each step takes.
    pub fn watch(&self, on: bool) {
        self.watching.store(on, Ordering::Relaxed);
        self.last.lock().clear();
    }

    /// What steps took, in milliseconds: from one outcome of a run to its next.
    #[must_use]
    pub fn took(&self) -> Vec<f64> {
        std::mem::take(&mut self.took.lock())
    }

    /// The transitions so far.
    #[must_use]
    pub fn kept(&self) -> Vec<Op> {
        self.kept.as_ref().map(|kept| kept.lock().clone()).unwrap_or_default()
    }

    fn recorded(&self, run: RunId) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        if !self.watching.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        if let Some(last) = self.last.lock().insert(run, now) {
            self.took.lock().push((now - last).as_secs_f64() * 1_000.0);
        }
    }
}

/// What is looked for in a transition.
enum Look {
    Recorded(RunId),
    Ended(RunId),
    Marked,
    Nothing,
}

#[async_trait]
impl Store for Probe {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        if let Some(kept) = &self.kept {
            kept.lock().push(op.clone());
        }
        if let Op::Submit(op) = &op {
            self.submitted.lock().insert(op.info.id);
        }
        let look = match &op {
            Op::Record(op) => Look::Recorded(op.job.run),
            Op::Advance(op) if op.end.is_some() => Look::Ended(op.run),
            Op::Mark(_) => Look::Marked,
            _ => Look::Nothing,
        };
        let reply = self.store.apply(op).await?;
        match (look, &reply) {
            (Look::Recorded(run), Reply::Record(RecordVerdict::Ok(_))) => self.recorded(run),
            (Look::Ended(run), Reply::Advance(AdvanceAnswer::Advanced { .. }))
                if self.submitted.lock().remove(&run) =>
            {
                let _ = self.ended.send(run);
            }
            (Look::Marked, _) => drop(self.marks.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        Ok(reply)
    }

    async fn pop_due(&self, partitions: &[Partition], limit: u32, hide_ms: u64) -> Result<Vec<DuePage>, Error> {
        self.store.pop_due(partitions, limit, hide_ms).await
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        self.store.lease_partition(partition, owner, ms).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

baton_store::forward_reads!(Probe, store, unseen);
