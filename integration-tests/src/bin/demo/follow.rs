//! The events of a run as they come, whichever orchestrator serves them.

use std::time::Duration;

use anyhow::Context as _;
use baton_integration_tests::grpc::{Client, Happened};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Follows a run for as long as it lives.
pub(crate) struct Follower {
    events: watch::Receiver<Vec<Happened>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Starts following.
    pub(crate) fn start(client: Client, run: String) -> Self {
        let (sender, events) = watch::channel(Vec::<Happened>::new());
        let task = tokio::spawn(async move {
            loop {
                let after = sender.borrow().last().map_or(0, |event| event.seq);
                let followed = client.follow(&run, after, |event| sender.send_modify(|all| all.push(event))).await;
                if matches!(followed, Ok(true)) {
                    return;
                }
                // Whoever served it is gone: the next one is asked.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { events, task }
    }

    /// What has happened so far.
    pub(crate) fn events(&self) -> Vec<Happened> {
        self.events.borrow().clone()
    }

    /// The claim of that number, from 0, once it was made.
    ///
    /// # Errors
    /// When the run ended or half a minute passed without it.
    pub(crate) async fn claim(&self, number: usize) -> anyhow::Result<Happened> {
        let mut events = self.events.clone();
        let there = |all: &Vec<Happened>| all.iter().filter(|event| event.kind == "claimed").nth(number).cloned();
        let waited = timeout(Duration::from_secs(30), events.wait_for(|all| there(all).is_some())).await;
        let all = waited.context("no further claim within half a minute")?.context("the run ended")?;
        there(&all).context("a claim")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
