//! Whether the control plane answers. Whoever hears from it says so here; while it is
//! silent the intake takes no message.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// Shared by all who call the control plane.
#[derive(Clone)]
pub(crate) struct Reach {
    up: watch::Sender<bool>,
    rest: Arc<Mutex<Option<Instant>>>,
}

impl Reach {
    pub(crate) fn new() -> Self {
        Self { up: watch::Sender::new(true), rest: Arc::default() }
    }

    /// It answered.
    pub(crate) fn up(&self) {
        if self.turn(true) {
            tracing::info!("control plane answers again");
        }
    }

    /// It did not.
    pub(crate) fn down(&self, error: &baton_control::Error) {
        if self.turn(false) {
            tracing::warn!(%error, "control plane does not answer");
        }
    }

    /// Whether that is news. Who waits is woken by news only: every answer comes by here.
    fn turn(&self, up: bool) -> bool {
        self.up.send_if_modified(|before| std::mem::replace(before, up) != up)
    }

    /// Whether it answered last.
    pub(crate) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Claims were given up although the rest may answer: no message is to be taken until
    /// then, since each one that goes back is counted by the broker.
    pub(crate) fn rest_until(&self, until: Option<Instant>) {
        *self.rest.lock() = until;
    }

    /// Whether messages may be taken now.
    pub(crate) fn is_open(&self) -> bool {
        self.is_up() && self.resting().is_none()
    }

    /// Returns once messages may be taken.
    pub(crate) async fn wait_open(&self) {
        while !self.is_open() {
            self.wait_up().await;
            if let Some(until) = self.resting() {
                tokio::time::sleep_until(until).await;
            }
        }
    }

    fn resting(&self) -> Option<Instant> {
        self.rest.lock().filter(|until| *until > Instant::now())
    }

    /// Returns once it answers.
    pub(crate) async fn wait_up(&self) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.up.subscribe().wait_for(|up| *up).await;
    }

    /// Returns once it does not.
    pub(crate) async fn wait_down(&self) {
        let _ = self.up.subscribe().wait_for(|up| !*up).await;
    }
}
