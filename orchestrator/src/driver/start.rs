//! Beginning work where it stands: what can be done at once is, and only what has to wait
//! for something becomes a task of its own. A task costs a thread's wake-up, which is more
//! than most of what follows a record takes while nothing lies on the way.

use std::cell::Cell;

use baton_common::pace::{Begun, Later, begin, leave};

use crate::orchestrator::Inner;

/// Work that is begun within work that was begun within work: beyond that it has a task.
const WITHIN_MAX: u32 = 6;

thread_local! {
    /// How much of it this thread is within.
    static WITHIN: Cell<u32> = const { Cell::new(0) };
}

impl Inner {
    /// Does as much of `work` as can be done now; a task that this orchestrator owns does
    /// the rest. For work whose caller may wait as long as a quick step takes, and which is in
    /// a box already: kilobytes are not moved from hand to hand.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + Unpin + 'static) {
        let within = WITHIN.get();
        if within >= WITHIN_MAX {
            return self.spawn(work);
        }
        WITHIN.set(within + 1);
        let begun = begin(self.tracker.track_future(work));
        WITHIN.set(within);
        match begun {
            Begun::Done => {}
            Begun::Waits(rest) => drop(tokio::spawn(rest)),
            // As in a task of its own: it ends, and nobody else does.
            Begun::Panicked => tracing::error!("work panicked where it was begun"),
        }
    }

    /// Does `work` once whoever called has done what belongs together, or else in a task.
    pub(crate) fn start_after(&self, work: Later) {
        if let Err(work) = leave(Box::pin(self.tracker.track_future(work))) {
            drop(tokio::spawn(work));
        }
    }
}
