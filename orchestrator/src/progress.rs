//! Signs of life of this process's own loops, for the question whether it gets anywhere.
//! What follows from them is said in `api::ready`.

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// When the loops moved last.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    swept: Mutex<Option<Instant>>,
}

impl Progress {
    /// The sweeper begins another round.
    pub(crate) fn swept(&self) {
        *self.swept.lock() = Some(Instant::now());
    }

    /// How long ago that was; `None` before the first round.
    pub(crate) fn since_swept(&self) -> Option<Duration> {
        self.swept.lock().map(|at| at.elapsed())
    }
}
