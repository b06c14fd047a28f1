//! Where steps are computed: on a few threads with large stacks, or in place for the
//! simulator. A panic is an answer here and not the end of a process; what it means for a
//! run is the driver's to say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

/// Stack of a computing thread, in bytes: deep values are walked recursively.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Work waiting for a thread.
const WAITING_MAX: usize = 1_024;

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
        for number in 0..count.max(1) {
            let waiting = waiting.clone();
            std::thread::Builder::new()
                .name(format!("compute-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&waiting))?;
        }
        Ok(Self::Threads(Pool { work }))
    }

    /// Runs `work` and answers what it returns.
    ///
    /// # Errors
    /// When it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        match self {
            Self::Inline => catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Panicked),
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

fn serve(waiting: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        let next = waiting.lock().blocking_recv();
        let Some(work) = next else { return };
        work();
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
