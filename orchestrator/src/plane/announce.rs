//! Who works here, and with which tools: the catalogue that graphs are resolved against.

use std::collections::BTreeMap;

use baton_common::Timestamp;
use baton_common::ids::WorkerId;
use baton_common::tool::{Priority, QueueClass, ToolSpec, queue_name};
use baton_control::{Announcement, Error, Welcome};
use serde::{Deserialize, Serialize};

use crate::api::{ApiError, WorkerView};
use crate::orchestrator::Inner;

/// A tool counts as known this long after a worker announced it, in milliseconds.
const TOOL_KNOWN_MS: u64 = 24 * 3_600_000;
/// A worker counts as there for so many announcements.
const MISSED_MAX: u64 = 3;

/// An announcement as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    worker: WorkerId,
    class: QueueClass,
    slots: u32,
    tools: Vec<ToolSpec>,
    place: String,
    version: String,
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    held: BTreeMap<String, u32>,
}

/// What a worker is at.
pub(crate) struct AtWork {
    pub(crate) class: QueueClass,
    /// Where it takes from; those of its class where an older one does not say.
    pub(crate) queues: Vec<String>,
    /// Jobs in hand by queue.
    pub(crate) held: BTreeMap<String, u32>,
}

impl Inner {
    pub(super) async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error> {
        let Announcement { worker, class, slots, tools, place, version, queues, held } = announcement;
        let stored = Stored { worker, class, slots, tools, place, version, queues, held };
        let body = serde_json::to_string(&stored).map_err(|error| Error::Refused(error.to_string()))?;
        self.store.put_worker(&worker.to_string(), body).await.map_err(super::from_store)?;
        self.announced.notify_waiters();
        Ok(Welcome {
            cluster: self.cluster.to_string(),
            lease_ms: self.settings.timings.lease_ms,
            announce_ms: self.settings.announce_ms,
        })
    }

    /// Workers that announced themselves lately.
    pub(crate) async fn workers_now(&self) -> Result<Vec<WorkerView>, ApiError> {
        self.workers_within(self.settings.announce_ms.saturating_mul(MISSED_MAX)).await
    }

    /// Every tool that a worker announced lately, by name: the highest major version, and of
    /// equal ones the one announced last.
    pub(crate) async fn catalogue(&self) -> Result<BTreeMap<String, ToolSpec>, ApiError> {
        let mut workers = self.workers_within(TOOL_KNOWN_MS).await?;
        workers.sort_by_key(|worker| (worker.seen_at, worker.id));
        let mut tools = BTreeMap::<String, ToolSpec>::new();
        for tool in workers.into_iter().flat_map(|worker| worker.tools) {
            if tools.get(&tool.name).is_none_or(|known| known.major <= tool.major) {
                tools.insert(tool.name.clone(), tool);
            }
        }
        Ok(tools)
    }

    /// What the workers are at that announced themselves lately.
    pub(crate) async fn at_work(&self) -> Result<Vec<AtWork>, baton_store::Error> {
        let ms = self.settings.announce_ms.saturating_mul(MISSED_MAX);
        let since = Timestamp(self.store.now().await?.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX)));
        let workers = self.store.workers(since).await?;
        let read = workers.iter().filter_map(|stored| serde_json::from_str::<Stored>(&stored.body).ok());
        Ok(read
            .map(|Stored { class, queues, held, .. }| AtWork { class, queues: queues_of(class, queues), held })
            .collect())
    }

    async fn workers_within(&self, ms: u64) -> Result<Vec<WorkerView>, ApiError> {
        let now = self.store.now().await?;
        let since = Timestamp(now.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX)));
        let mut workers = Vec::new();
        for stored in self.store.workers(since).await? {
            match serde_json::from_str::<Stored>(&stored.body) {
                Ok(Stored { worker, class, slots, tools, place, version, .. }) => {
                    let seen_at = stored.seen_at;
                    workers.push(WorkerView { id: worker, class, slots, tools, place, version, seen_at });
                }
                Err(error) => tracing::warn!(worker = %stored.id, %error, "announcement does not read"),
            }
        }
        Ok(workers)
    }
}

fn queues_of(class: QueueClass, said: Vec<String>) -> Vec<String> {
    if said.is_empty() { Priority::ALL.iter().map(|priority| queue_name(class, *priority)).collect() } else { said }
}
