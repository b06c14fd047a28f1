//! Whether the control plane answers. Whoever hears from it says so here; while it is
//! silent the intake takes no message.

use tokio::sync::watch;

/// Shared by all who call the control plane.
#[derive(Clone)]
pub(crate) struct Reach(watch::Sender<bool>);

impl Reach {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(true))
    }

    /// It answered.
    pub(crate) fn up(&self) {
        if !self.0.send_replace(true) {
            tracing::info!("control plane answers again");
        }
    }

    /// It did not.
    pub(crate) fn down(&self, error: &baton_control::Error) {
        if self.0.send_replace(false) {
            tracing::warn!(%error, "control plane does not answer");
        }
    }

    /// Whether it answered last.
    pub(crate) fn is_up(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it answers.
    pub(crate) async fn wait_up(&self) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|up| *up).await;
    }

    /// Returns once it does not.
    pub(crate) async fn wait_down(&self) {
        let _ = self.0.subscribe().wait_for(|up| !*up).await;
    }
}
