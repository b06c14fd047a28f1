//! Counts what passes between both planes and the store: transitions by kind with the size
//! of what they carry, and reads. Nothing is changed on its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use baton_common::transition::{AdvanceAnswer, DuePage, Op, Reply};
use baton_common::{Partition, RunId};
use baton_store::{Error, RunDetail, Store};
use parking_lot::Mutex;

/// What was counted of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) calls: u64,
    /// Characters of what was handed over and answered, as the debugger writes it.
    pub(crate) bytes: u64,
}

/// What depends on the time a test takes, and on nothing else.
const BY_TIME: [&str; 5] = ["PopDue", "Extend", "Mark", "Renew", "Fire"];

/// An advance that came true, as it went by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Advanced {
    /// Checkpoints it brought.
    pub(crate) checkpoints: u64,
    /// What was counted until then, it among them.
    pub(crate) sum: Work,
    /// Bytes of memory that this process held.
    pub(crate) resident: u64,
}

/// Reads that a step or a claim needs; others are of those who look on.
const NEEDED: [&str; 5] = ["read load", "read checkpoint", "read segments", "read bodies", "read thread"];

/// A store that counts.
pub(crate) struct Meter {
    store: Arc<dyn Store>,
    counts: Mutex<BTreeMap<String, Work>>,
    advances: Mutex<Vec<Advanced>>,
}

impl Meter {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, counts: Mutex::default(), advances: Mutex::default() })
    }

    /// By kind: `Advance`, `Record`, `read checkpoint`, ….
    pub(crate) fn counts(&self) -> BTreeMap<String, Work> {
        self.counts.lock().clone()
    }

    /// Everything about a run, not counted.
    pub(crate) async fn store_detail(&self, run: RunId) -> RunDetail {
        self.store.detail(run).await.unwrap().unwrap()
    }

    /// Bytes of the largest checkpoint that led to a run's present.
    pub(crate) async fn largest_checkpoint(&self, run: RunId) -> u64 {
        let run = self.store.run(run).await.unwrap().unwrap();
        let (mut seq, mut largest) = (run.state.head, 0);
        while let Some(checkpoint) = self.store.checkpoint(&run.info.thread, seq).await.unwrap() {
            largest = largest.max(serde_json::to_string(&checkpoint).unwrap().len() as u64);
            for (channel, span) in &checkpoint.segments {
                let pieces = self.store.segments(&run.info.thread, channel, *span).await.unwrap();
                largest = pieces.iter().map(|piece| piece.len() as u64).fold(largest, u64::max);
            }
            seq = checkpoint.parent;
        }
        largest
    }

    /// Everything that does not depend on the time, in sum.
    pub(crate) fn sum(&self) -> Work {
        let counts = self.counts.lock();
        let by_time = |name: &str| BY_TIME.contains(&name) || (name.starts_with("read ") && !NEEDED.contains(&name));
        let counted = counts.iter().filter(|(name, _)| !by_time(name));
        counted
            .fold(Work::default(), |sum, (_, one)| Work { calls: sum.calls + one.calls, bytes: sum.bytes + one.bytes })
    }

    /// The advances that came true so far, in order.
    pub(crate) fn advances(&self) -> Vec<Advanced> {
        self.advances.lock().clone()
    }

    async fn count_read(&self, name: &str) -> Result<(), Error> {
        self.count(&format!("read {name}"), 0);
        Ok(())
    }

    fn count(&self, name: &str, bytes: usize) {
        let mut counts = self.counts.lock();
        let work = counts.entry(name.to_owned()).or_default();
        work.calls += 1;
        work.bytes += bytes as u64;
    }
}

#[async_trait]
impl Store for Meter {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        let text = format!("{op:?}");
        let checkpoints = match &op {
            Op::Advance(commit) => Some(commit.checkpoints.len() as u64),
            _ => None,
        };
        let reply = self.store.apply(op).await?;
        let name = text.split(['(', ' ']).next().unwrap_or_default();
        self.count(name, text.len() + format!("{reply:?}").len());
        // A sweeper that thought a slow advance lost makes another, which changes nothing.
        if let (Some(checkpoints), Reply::Advance(AdvanceAnswer::Advanced { .. })) = (checkpoints, &reply) {
            let advanced = Advanced { checkpoints, sum: self.sum(), resident: resident() };
            self.advances.lock().push(advanced);
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

baton_store::forward_reads!(Meter, store, count_read);

/// Bytes of memory this process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1_024
}
