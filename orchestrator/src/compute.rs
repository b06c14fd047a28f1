//! Where steps are computed: on a few threads with large stacks; in place for the simulator,
//! and where a graph's steps have been quick, since handing one over and back costs more
//! than most steps do. A panic is an answer here and not the end of a process; what it means
//! for a run is the driver's to say.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use baton_common::GraphHash;
use baton_common::pace::Pace;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

/// Stack of a computing thread, in bytes: deep values are walked recursively.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Work waiting for a thread.
const WAITING_MAX: usize = 1_024;

/// Graphs whose pace is known.
const PACES_MAX: usize = 1_024;

type Work = Box<dyn FnOnce() + Send>;

/// Where steps are computed.
#[derive(Clone)]
pub enum Compute {
    /// On the caller's own task. Starts no thread.
    Inline,
    /// On a pool.
    Threads(Pool),
}

/// Threads with large stacks; they end when the last handle is dropped.
#[derive(Clone)]
pub struct Pool {
    work: mpsc::Sender<Work>,
    paces: Arc<Mutex<BTreeMap<GraphHash, Arc<Pace>>>>,
    threads: usize,
    busy: Arc<AtomicUsize>,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The work panicked.
    #[error("the computation panicked")]
    Panicked,
    /// No thread is left to do it.
    #[error("the computing threads are gone")]
    Gone,
}

impl Compute {
    /// A pool of so many threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn threads(count: usize) -> std::io::Result<Self> {
        let (work, waiting) = mpsc::channel::<Work>(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let (threads, busy) = (count.max(1), Arc::<AtomicUsize>::default());
        for number in 0..threads {
            let (waiting, busy) = (waiting.clone(), busy.clone());
            std::thread::Builder::new()
                .name(format!("compute-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&waiting, &busy))?;
        }
        Ok(Self::Threads(Pool { work, paces: Arc::default(), threads, busy }))
    }

    /// How quick the steps of that graph have been; `None` where all is done in place.
    pub(crate) fn pace(&self, graph: GraphHash) -> Option<Arc<Pace>> {
        let Self::Threads(pool) = self else { return None };
        let mut paces = pool.paces.lock();
        if paces.len() >= PACES_MAX && !paces.contains_key(&graph) {
            // They are soon known again.
            paces.clear();
        }
        Some(paces.entry(graph).or_default().clone())
    }

    /// How many threads compute now, and how many there are.
    pub(crate) fn taken(&self) -> Option<(usize, usize)> {
        match self {
            Self::Inline => None,
            Self::Threads(pool) => Some((pool.busy.load(Ordering::Relaxed), pool.threads)),
        }
    }

    /// Runs `work` and answers what it returns.
    ///
    /// # Errors
    /// When it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        match self {
            Self::Inline => here(work),
            Self::Threads(pool) => {
                let (answer, answered) = oneshot::channel();
                let job: Work = Box::new(move || {
                    let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
                });
                pool.work.send(job).await.map_err(|_| Error::Gone)?;
                answered.await.map_err(|_| Error::Gone)?.map_err(|_| Error::Panicked)
            }
        }
    }
}

/// Runs `work` in place.
///
/// # Errors
/// When it panics.
pub(crate) fn here<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Panicked)
}

/// Computes a step, and notes how long it took.
pub(crate) fn noted<T>(pace: &Pace, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    pace.took(began.elapsed());
    done
}

fn serve(waiting: &Mutex<mpsc::Receiver<Work>>, busy: &AtomicUsize) {
    loop {
        let next = waiting.lock().blocking_recv();
        let Some(work) = next else { return };
        busy.fetch_add(1, Ordering::Relaxed);
        work();
        busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(depth: u64) -> u64 {
        let ballast = std::hint::black_box([depth; 64]);
        if depth == 0 { 0 } else { sink(depth - 1) + ballast[0] / depth }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_the_thread_works_on() {
        let compute = Compute::threads(1).unwrap();
        assert_eq!(compute.run(|| -> u32 { panic!("as asked") }).await, Err(Error::Panicked));
        assert_eq!(compute.run(|| 7).await, Ok(7));
        assert_eq!(Compute::Inline.run(|| -> u32 { panic!("as asked") }).await, Err(Error::Panicked));
    }

    #[tokio::test]
    async fn deep_values_have_room() {
        assert_eq!(Compute::threads(1).unwrap().run(|| sink(8_000)).await, Ok(8_000));
    }
}
