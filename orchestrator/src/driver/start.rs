//! Beginning work where it stands: what can be done at once is, and only what has to wait
//! for something becomes a task of its own. A task costs a thread's wake-up, which is more
//! than most of what follows a record takes while nothing lies on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use crate::orchestrator::Inner;

impl Inner {
    /// Does as much of `work` as can be done now; a task that this orchestrator owns does
    /// the rest. For work whose caller may wait as long as a quick step takes, and which
    /// begins no other work this way without end.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut work = Box::pin(self.tracker.track_future(work));
        // Whatever it waits for hears of the task's own waker when that polls it.
        let mut nobody = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut nobody))) {
            Ok(Poll::Ready(())) => {}
            Ok(Poll::Pending) => drop(tokio::spawn(work)),
            // As in a task of its own: it ends, and nobody else does. The hook has seen it.
            Err(_) => tracing::error!("work panicked where it was begun"),
        }
    }
}
