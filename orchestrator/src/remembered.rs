//! What this replica was told is kept: the last checkpoint of each run it moved, so that it
//! can say what is missing once the store has gone back to an earlier moment. What is done
//! about that stands in `sweeper::reconcile`.

use baton_common::ids::{Seq, ThreadKey, Version};
use baton_common::{Digest, RunId};
use baton_store::{Error, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::lru::Lru;

/// Runs that are remembered.
const RUNS_MAX: usize = 8_192;
/// And for how long: a server that takes over is seconds behind, not hours.
const KEPT: Duration = Duration::from_secs(600);

/// Runs that are looked at in one go: thousands must not take a minute.
const AT_ONCE: usize = 64;

/// A run as this replica saw it written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) thread: ThreadKey,
    pub(crate) ver: Version,
    /// Its last checkpoint and that one's content; none for a run that was only submitted.
    pub(crate) head: Option<(Seq, Digest)>,
}

/// A run that is behind what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setback {
    pub(crate) run: RunId,
    pub(crate) known: Known,
    /// Where it stands now; nowhere if it is gone.
    pub(crate) now: Option<(Version, Seq)>,
}

/// The runs this replica moved lately.
pub(crate) struct Remembered {
    runs: Mutex<Lru<RunId, (Known, Instant)>>,
    /// What was known of runs that this replica moved on from somewhere before that, as nobody had
    /// looked yet when the store went back.
    overtaken: Mutex<Lru<RunId, (Known, Instant)>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { runs: Mutex::new(Lru::new(RUNS_MAX)), overtaken: Mutex::new(Lru::new(RUNS_MAX)) }
    }
}

impl Remembered {
    pub(crate) fn put(&self, run: RunId, known: Known) {
        let mut runs = self.runs.lock();
        if let Some((before, _)) = runs.get(&run).filter(|(before, _)| before.ver >= known.ver && *before != known) {
            let mut overtaken = self.overtaken.lock();
            // Of several setbacks of a run in one go, the first was from the farthest.
            if overtaken.get(&run).is_none() {
                overtaken.put(run, (before.clone(), Instant::now()));
            }
        }
        runs.put(run, (known, Instant::now()));
    }

    /// A run that was submitted. Its first advance may have come before this is told.
    pub(crate) fn put_first(&self, run: RunId, known: Known) {
        let mut runs = self.runs.lock();
        if runs.get(&run).is_none() {
            runs.put(run, (known, Instant::now()));
        }
    }

    /// It was told of: what was known of that run is no truth any more.
    pub(crate) fn told(&self, setback: &Setback) {
        // What was written since then is.
        for runs in [&self.runs, &self.overtaken] {
            let mut runs = runs.lock();
            if runs.get(&setback.run).is_some_and(|(known, _)| known == setback.known) {
                runs.remove(&setback.run);
            }
        }
    }

    /// What the store has not, of all that is remembered, or that was noted since a moment. By
    /// content: a run that went back and came to the same again has lost nothing.
    pub(crate) async fn missing(&self, store: &dyn Store, since: Option<Instant>) -> Result<Vec<Setback>, Error> {
        let mut all: Vec<(RunId, Known)> = Vec::new();
        for runs in [&self.overtaken, &self.runs] {
            let runs = runs.lock();
            let noted = |at: &Instant| since.is_none_or(|since| *at >= since);
            let lately = runs.iter().filter(|(_, (_, at))| at.elapsed() < KEPT && noted(at));
            all.extend(lately.map(|(run, (known, _))| (*run, known.clone())));
        }
        let looked = stream::iter(all).map(|(run, known)| look(store, run, known));
        let found: Vec<Option<Setback>> = looked.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

async fn look(store: &dyn Store, run: RunId, known: Known) -> Result<Option<Setback>, Error> {
    let found = store.run(run).await?;
    let there = match (&found, known.head) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(_), Some((seq, hash))) => {
            store.checkpoint(&known.thread, seq).await?.is_some_and(|checkpoint| checkpoint.hash == hash)
        }
    };
    let now = found.map(|run| (run.state.ver, run.state.head));
    Ok((!there).then_some(Setback { run, known, now }))
}

#[cfg(test)]
mod tests {
    use baton_common::ids::{TenantId, ThreadId};
    use baton_common::settings::Timings;
    use baton_store::memory::MemoryStore;

    use super::*;

    fn thread() -> ThreadKey {
        ThreadKey { tenant: TenantId::parse("local").unwrap(), thread: ThreadId::parse("t").unwrap() }
    }

    fn known(ver: u64) -> Known {
        Known { thread: thread(), ver: Version(ver), head: None }
    }

    #[tokio::test]
    async fn what_is_missing_is_told_once_and_what_was_written_since_is_kept() {
        let (store, remembered) = (MemoryStore::new(Timings::default()), Remembered::default());
        let run = RunId { partition: thread().partition(), uuid: uuid::Uuid::from_u128(1) };
        remembered.put(run, known(3));
        remembered.put_first(run, known(1));
        let missing = remembered.missing(&store, None).await.unwrap();
        assert_eq!(missing, [Setback { run, known: known(3), now: None }]);

        let before = Instant::now();
        remembered.put(run, known(4));
        remembered.told(&missing[0]);
        let missing = remembered.missing(&store, None).await.unwrap();
        assert_eq!(missing.len(), 1, "it was written since");
        assert_eq!(remembered.missing(&store, Some(before)).await.unwrap().len(), 1);
        assert_eq!(remembered.missing(&store, Some(Instant::now())).await.unwrap(), [], "it was known before");
        remembered.told(&missing[0]);
        assert_eq!(remembered.missing(&store, None).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_a_run_had_come_to_is_told_although_it_moves_on_from_before_that() {
        let (store, remembered) = (MemoryStore::new(Timings::default()), Remembered::default());
        let run = RunId { partition: thread().partition(), uuid: uuid::Uuid::from_u128(1) };
        for ver in [8, 9, 4, 5] {
            remembered.put(run, known(ver));
        }
        let missing = remembered.missing(&store, None).await.unwrap();
        let vers: Vec<Version> = missing.iter().map(|setback| setback.known.ver).collect();
        assert_eq!(vers, [Version(9), Version(5)]);
        missing.iter().for_each(|setback| remembered.told(setback));
        assert_eq!(remembered.missing(&store, None).await.unwrap(), []);
    }
}
