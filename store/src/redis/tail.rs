//! Events as they are written, by whichever process: one blocking read over all partitions
//! whose runs are watched here; in a cluster one for each. Blocking reads have connections of
//! their own, from a pool, since nothing else could pass on theirs.
//!
//! It only says that a run has new events. Where a read broke off the next one goes on, so
//! that nothing is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use baton_common::Partition;
use baton_common::ids::RunId;
use deadpool_redis::{Connection, Manager, Pool, Runtime};
use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::events::{self, Entries};
use super::fault::fault;
use super::keys;
use super::link::{CONNECT_TIMEOUT, Links};
use super::live::Wanted;
use crate::Error;

/// How long a read waits for events, and how much later its answer is missed.
const BLOCK: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(3);
/// Entries of a partition taken at a time.
const PAGE: usize = 100;
/// Connections to one server: a reader has two at the most.
const CONNECTIONS_MAX: usize = 128;
/// After a read that broke, and between attempts to end one.
const PAUSE: Duration = Duration::from_millis(200);
const NUDGE: Duration = Duration::from_millis(20);

/// Follows the events of the partitions that are wanted.
pub(super) struct Tail {
    links: Arc<Links>,
    wanted: Arc<Wanted>,
    tell: mpsc::Sender<RunId>,
    /// By the server's address.
    pools: Mutex<BTreeMap<String, Pool>>,
}

/// One blocking read after another; ends with its handle.
struct Reader {
    changed: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tail {
    pub(super) fn new(links: Arc<Links>, wanted: Arc<Wanted>, tell: mpsc::Sender<RunId>) -> Arc<Self> {
        Arc::new(Self { links, wanted, tell, pools: Mutex::default() })
    }

    /// Has readers for what is wanted, until it is dropped.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut readers: BTreeMap<Option<Partition>, Reader> = BTreeMap::new();
        loop {
            let partitions = self.wanted.partitions();
            let needed: BTreeSet<Option<Partition>> = if self.links.clustered() {
                partitions.into_iter().map(Some).collect()
            } else {
                partitions.first().map(|_| None).into_iter().collect()
            };
            readers.retain(|part, _| needed.contains(part));
            for part in needed {
                let reader = readers.entry(part).or_insert_with(|| {
                    let changed = Arc::<Notify>::default();
                    let task = tokio::spawn(self.clone().read(part, changed.clone())).abort_handle();
                    Reader { changed, task }
                });
                reader.changed.notify_one();
            }
            self.wanted.tailed.notified().await;
        }
    }

    /// Reads one partition or all, over one connection after another.
    async fn read(self: Arc<Self>, part: Option<Partition>, changed: Arc<Notify>) {
        let mut places = BTreeMap::new();
        loop {
            if let Err(error) = self.read_on(part, &changed, &mut places).await {
                tracing::debug!(%error, "events are not followed");
            }
            sleep(PAUSE).await;
        }
    }

    async fn read_on(
        &self,
        part: Option<Partition>,
        changed: &Notify,
        places: &mut BTreeMap<Partition, String>,
    ) -> Result<(), Error> {
        let pool = self.pool(&self.links.client(part.unwrap_or(Partition(0))).await?)?;
        let mut link = taken(&pool).await?;
        let told = |error: RedisError| fault(&error);
        let id: i64 = cmd("CLIENT").arg("ID").query_async(&mut link).await.map_err(told)?;
        loop {
            self.settle(part, &mut link, places).await?;
            let mut command = cmd("XREAD");
            command.arg("COUNT").arg(PAGE).arg("BLOCK").arg(BLOCK.as_millis().to_string()).arg("STREAMS");
            if places.is_empty() {
                changed.notified().await;
                continue;
            }
            command.arg(places.keys().map(|partition| keys::events(*partition)).collect::<Vec<_>>());
            command.arg(places.values().collect::<Vec<_>>());
            let reading = command.query_async::<Option<Vec<(String, Entries)>>>(&mut link);
            tokio::pin!(reading);
            let found = tokio::select! {
                found = &mut reading => found,
                () = changed.notified() => {
                    let mut waker = taken(&pool).await?;
                    loop {
                        // Before the read has begun there is nothing to end.
                        let end = cmd("CLIENT").arg("UNBLOCK").arg(id).query_async::<i64>(&mut waker).await;
                        end.map_err(told)?;
                        if let Ok(found) = timeout(NUDGE, &mut reading).await {
                            break found;
                        }
                    }
                }
            };
            for (key, entries) in found.map_err(told)?.unwrap_or_default() {
                self.take(&key, &entries, places).await?;
            }
        }
    }

    /// Begins where a partition that is newly wanted ends now. What was written before its
    /// watchers find by themselves; they are told to look.
    async fn settle(
        &self,
        part: Option<Partition>,
        link: &mut Connection,
        places: &mut BTreeMap<Partition, String>,
    ) -> Result<(), Error> {
        let mut wanted = self.wanted.partitions();
        wanted.retain(|partition| part.is_none_or(|part| part == *partition));
        places.retain(|partition, _| wanted.contains(partition));
        for partition in wanted {
            if places.contains_key(&partition) {
                continue;
            }
            let last = cmd("XREVRANGE").arg(keys::events(partition)).arg("+").arg("-").arg("COUNT").arg(1).take();
            let last: Entries = last.query_async(link).await.map_err(|error| fault(&error))?;
            places.insert(partition, last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id));
            for run in self.wanted.runs_of(partition) {
                self.tell(run).await;
            }
        }
        Ok(())
    }

    async fn take(&self, key: &str, entries: &Entries, places: &mut BTreeMap<Partition, String>) -> Result<(), Error> {
        let Some((partition, place)) = places.iter_mut().find(|(partition, _)| keys::events(**partition) == key) else {
            return Ok(());
        };
        let mut runs = BTreeSet::new();
        for (id, fields) in entries {
            runs.extend(events::entry(*partition, fields)?.into_iter().map(|event| event.run));
            place.clone_from(id);
        }
        for run in runs {
            self.tell(run).await;
        }
        Ok(())
    }

    async fn tell(&self, run: RunId) {
        if self.wanted.wants(run) {
            // Nobody hears it any more once the store is closed.
            let _ = self.tell.send(run).await;
        }
    }

    fn pool(&self, client: &Client) -> Result<Pool, Error> {
        let info = client.get_connection_info().clone();
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(&info.addr().to_string()) {
            return Ok(pool.clone());
        }
        let address = info.addr().to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(BLOCK + LATE));
        let manager = Manager::new_with_config(info, config).map_err(|error| fault(&error))?;
        let pool = Pool::builder(manager).max_size(CONNECTIONS_MAX).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(Some(CONNECT_TIMEOUT)).create_timeout(Some(CONNECT_TIMEOUT));
        let pool = pool.recycle_timeout(Some(CONNECT_TIMEOUT)).build();
        let pool = pool.map_err(|error| Error::Broken(error.to_string()))?;
        pools.insert(address, pool.clone());
        Ok(pool)
    }
}

async fn taken(pool: &Pool) -> Result<Connection, Error> {
    match pool.get().await {
        Ok(link) => Ok(link),
        Err(deadpool_redis::PoolError::Backend(error)) => Err(fault(&error)),
        Err(error) => Err(Error::Unavailable(error.to_string())),
    }
}
