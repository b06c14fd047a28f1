//! Notices that the store's servers are others than before: restarted, or a replica that was
//! promoted. Either may have forgotten the last of what was acknowledged. What is done about
//! that is left to orchestrators, which look at the number kept here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use baton_common::Partition;
use redis::cmd;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::link::Links;
use super::{boot, keys};
use crate::Error;

/// How often the servers are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// And how soon again while they do not answer.
const AGAIN: Duration = Duration::from_millis(50);

/// Which servers the store is on, as a number that rises when they are others.
pub(super) struct Incarnation {
    seen: Arc<Seen>,
    task: AbortHandle,
}

#[derive(Default)]
struct Seen {
    number: AtomicU64,
    /// Whether the store is gone from its servers.
    gone: AtomicBool,
}

impl Incarnation {
    /// Begins to look; must be called within a runtime. Servers that took over while nobody
    /// looked are others, too.
    pub(super) async fn watch(links: Arc<Links>, cluster: String) -> Result<Self, Error> {
        let seen = Arc::<Seen>::default();
        let known = boot::processes(&links).await?;
        let before = links.command::<Option<String>>(Partition(0), cmd("HGET").arg(keys::META).arg(SERVERS)).await?;
        if before.is_some_and(|before| before != text(&known)) {
            seen.number.fetch_add(1, Ordering::AcqRel);
        }
        note(&links, &known).await?;
        let watcher = Watcher { links, cluster, known, seen: seen.clone() };
        Ok(Self { seen, task: tokio::spawn(watcher.watch()).abort_handle() })
    }

    /// Rises by one whenever the servers are others.
    pub(super) fn number(&self) -> u64 {
        self.seen.number.load(Ordering::Acquire)
    }

    /// Refuses all that is done with a store that is not there any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.seen.gone.load(Ordering::Acquire) {
            return Err(Error::Broken(
                "the servers hold another store or none: put its data back, or start all orchestrators anew to begin \
                 with an empty one"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The field of the store's identity that names its servers.
const SERVERS: &str = "servers";

struct Watcher {
    links: Arc<Links>,
    cluster: String,
    known: BTreeSet<String>,
    seen: Arc<Seen>,
}

impl Watcher {
    async fn watch(mut self) {
        loop {
            // A connection that broke is a reason to look at once.
            let _ = timeout(EVERY, self.links.troubled.notified()).await;
            self.links.leave_deposed().await;
            while let Err(error) = self.look().await {
                tracing::debug!(%error, "the store's servers do not answer");
                sleep(AGAIN).await;
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let found = boot::processes(&self.links).await?;
        let command = cmd("HGET").arg(keys::META).arg("cluster").take();
        let cluster: Option<String> = self.links.command(Partition(0), &command).await?;
        let gone = cluster.as_ref() != Some(&self.cluster);
        if gone != self.seen.gone.swap(gone, Ordering::AcqRel) {
            tracing::error!(gone, "the store on these servers is another");
        }
        if found != self.known {
            tracing::warn!(before = text(&self.known), now = text(&found), "the store's servers are others");
            note(&self.links, &found).await?;
            self.known = found;
            self.seen.number.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

async fn note(links: &Links, servers: &BTreeSet<String>) -> Result<(), Error> {
    let command = cmd("HSET").arg(keys::META).arg(SERVERS).arg(text(servers)).take();
    links.command::<i64>(Partition(0), &command).await.map(drop)
}

fn text(servers: &BTreeSet<String>) -> String {
    servers.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}
