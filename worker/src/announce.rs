//! Telling the control plane who this worker is, again and again; the probe that finds
//! out when it answers again.

use std::sync::Arc;
use std::time::Duration;

use baton_control::{Announcement, ControlPlane, Error, Welcome};
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Dice};
use crate::held::Held;
use crate::reach::Reach;
use crate::settings::Settings;

/// Announces this worker.
pub(crate) struct Announcer {
    pub(crate) control: Arc<dyn ControlPlane>,
    /// All that does not change.
    pub(crate) announcement: Announcement,
    pub(crate) held: Held,
    pub(crate) reach: Reach,
    pub(crate) dice: Arc<Dice>,
    pub(crate) settings: Arc<Settings>,
}

impl Announcer {
    /// The first welcome; `None` when the worker is told to leave before it comes.
    ///
    /// # Errors
    /// When the control plane refuses this worker: waiting does not help.
    pub(crate) async fn first(&self, shutdown: &CancellationToken) -> Result<Option<Welcome>, Error> {
        let mut backoff = self.backoff();
        loop {
            let answer = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(None),
                answer = self.once() => answer,
            };
            match answer {
                Ok(welcome) => {
                    self.reach.up();
                    return Ok(Some(welcome));
                }
                Err(error @ Error::Refused(_)) => return Err(error),
                Err(error) => self.reach.down(&error),
            }
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// Repeats it: at the pace of the welcome, and quickly while nobody answers.
    pub(crate) async fn repeat(self, mut every_ms: u64) {
        let mut backoff = self.backoff();
        loop {
            if self.reach.is_up() {
                tokio::select! {
                    biased;
                    () = self.reach.wait_down() => {}
                    () = tokio::time::sleep(Duration::from_millis(every_ms.max(10))) => {}
                }
            }
            match self.once().await {
                Ok(welcome) => {
                    every_ms = welcome.announce_ms;
                    backoff.reset();
                    self.reach.up();
                }
                Err(error) => {
                    self.reach.down(&error);
                    backoff.pause().await;
                }
            }
        }
    }

    async fn once(&self) -> Result<Welcome, Error> {
        let limit = Duration::from_millis(self.settings.call_timeout_ms);
        let late = |_| Error::Unavailable("no answer to an announcement".to_owned());
        let announcement = Announcement { held: self.held.by_queue(), ..self.announcement.clone() };
        tokio::time::timeout(limit, self.control.announce(announcement)).await.map_err(late)?
    }

    fn backoff(&self) -> Backoff<'_> {
        Backoff::new(&self.dice, self.settings.backoff_ms, self.settings.backoff_ms_max)
    }
}
