//! One life of a simulated process: once it is over, nothing of it passes any more.
//!
//! A process dies between two of its calls: whatever it wanted to do next never happens,
//! and no destructor speaks for it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A life.
#[derive(Default)]
pub(super) struct Gate {
    over: AtomicBool,
    died: Notify,
}

impl Gate {
    /// Lets the living through; the dead wait for ever.
    pub(super) async fn pass(&self) {
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends it.
    pub(super) fn die(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.died.notify_waiters();
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        let died = self.died.notified();
        tokio::pin!(died);
        died.as_mut().enable();
        if !self.is_over() {
            died.await;
        }
    }
}
