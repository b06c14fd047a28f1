//! Connections: multiplexed, rebuilt when they break, chosen by partition.
//!
//! A call is made once. Whoever makes it repeats it: a call that was not answered in time
//! may have been made all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::Partition;
use baton_telemetry::metrics;
use parking_lot::RwLock;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Notify;

use super::address::{Address, Place};
use super::fault::{demoted, fault, forgotten};
use super::sentinel::{self, Named, Sentinels};
use super::wire::Wire;
use super::{RedisOptions, keys};
use crate::Error;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster's connections lead to each of its nodes: fewer of them do.
const CLUSTER_CONNECTIONS_MAX: usize = 4;

/// What a cluster's client does about answers that say "elsewhere" or "not now", before its
/// caller hears of it.
const CLUSTER_RETRIES: u32 = 6;
const CLUSTER_RETRY_MS: (u64, u64) = (20, 400);

pub(super) struct Links {
    address: Address,
    source: Source,
    response_timeout: Duration,
    links: Vec<RwLock<Option<Arc<Wire>>>>,
    /// Told when a connection broke, or leads to a server that is no primary.
    pub(super) troubled: Notify,
}

/// Whom connections lead to.
enum Source {
    One { client: Client, config: Box<ConnectionManagerConfig> },
    Sentinel { sentinels: Sentinels, led_by: tokio::sync::Mutex<Option<Named>> },
    Cluster { client: Box<ClusterClient>, joining: tokio::sync::Mutex<()> },
}

impl Links {
    /// Connects as often as asked; fails when the first connection does.
    pub(super) async fn connect(options: &RedisOptions) -> Result<Self, Error> {
        let address = Address::read(&options.url)?;
        let response_timeout = Duration::from_millis(options.response_timeout_ms);
        let source = Source::of(&address, response_timeout).map_err(|error| fault(&error))?;
        let count = match &source {
            Source::Cluster { .. } => options.connections.clamp(1, CLUSTER_CONNECTIONS_MAX),
            _ => options.connections.max(1),
        };
        let links = (0..count).map(|_| RwLock::new(None)).collect();
        let links = Self { address, source, response_timeout, links, troubled: Notify::new() };
        links.fill().await.map_err(|error| fault(&error))?;
        Ok(links)
    }

    /// Makes the connections that are missing.
    async fn fill(&self) -> RedisResult<()> {
        match &self.source {
            Source::One { client, config } => {
                let first = ConnectionManager::new_with_config(client.clone(), (**config).clone()).await?;
                self.put(0, Wire::Managed(first));
                for place in 1..self.links.len() {
                    self.put(place, Wire::Managed(lazy(client, config)?));
                }
            }
            Source::Cluster { .. } => {
                for place in 0..self.links.len() {
                    self.follow(place).await?;
                }
            }
            Source::Sentinel { .. } => {
                self.follow(0).await?;
            }
        }
        Ok(())
    }

    fn put(&self, place: usize, wire: Wire) -> Arc<Wire> {
        let wire = Arc::new(wire);
        *self.links[place].write() = Some(wire.clone());
        wire
    }

    /// Connects to whom the sentinels name, or to the nodes of the cluster, where nobody else did
    /// meanwhile.
    async fn follow(&self, place: usize) -> RedisResult<Arc<Wire>> {
        let (sentinels, led_by) = match &self.source {
            Source::Sentinel { sentinels, led_by } => (sentinels, led_by),
            Source::Cluster { client, joining } => {
                let _one = joining.lock().await;
                if let Some(wire) = self.links[place].read().clone() {
                    return Ok(wire);
                }
                return Ok(self.put(place, Wire::Cluster(client.get_async_connection().await?)));
            }
            Source::One { .. } => return Err(RedisError::from((ErrorKind::Io, "there is no connection"))),
        };
        let mut led_by = led_by.lock().await;
        if let Some(wire) = self.links[place].read().clone() {
            return Ok(wire);
        }
        let named = sentinels.primary().await?;
        let client = self.address.server(&named.host, named.port)?;
        let config = self.config(Some(self.response_timeout));
        let wire = sentinel::connect(&client, &config).await?;
        *led_by = Some(named);
        Ok(self.put(place, Wire::Plain(wire)))
    }

    fn config(&self, response_timeout: Option<Duration>) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(response_timeout)
    }

    /// Leaves a primary that the sentinels do not name any more, though it still answers.
    pub(super) async fn leave_deposed(&self) {
        let Source::Sentinel { sentinels, led_by } = &self.source else { return };
        let Ok(named) = sentinels.primary().await else { return };
        let known = led_by.lock().await.clone();
        if known.is_some_and(|known| (known.host, known.port) != (named.host, named.port)) {
            self.replace();
        }
    }

    /// Whether keys lie on several servers.
    pub(super) fn clustered(&self) -> bool {
        matches!(self.source, Source::Cluster { .. })
    }

    /// Whether sentinels say who the primary is.
    pub(super) fn guarded(&self) -> bool {
        matches!(self.source, Source::Sentinel { .. })
    }

    /// A client for connections of one's own: to the server that has a partition.
    pub(super) async fn client(&self, partition: Partition) -> Result<Client, Error> {
        match &self.source {
            Source::One { client, .. } => Ok(client.clone()),
            Source::Sentinel { sentinels, .. } => {
                let named = sentinels.primary().await.map_err(|error| fault(&error))?;
                self.address.server(&named.host, named.port).map_err(|error| fault(&error))
            }
            Source::Cluster { .. } => self.node_of(partition).await,
        }
    }

    async fn node_of(&self, partition: Partition) -> Result<Client, Error> {
        let slot = Slot::for_key(keys::tag(partition));
        let slots: Vec<Vec<Value>> = self.command(partition, redis::cmd("CLUSTER").arg("SLOTS")).await?;
        for range in slots {
            let Some((host, port)) = node_within(range, slot) else { continue };
            return self.address.server(&host, port).map_err(|error| fault(&error));
        }
        Err(Error::Unavailable("no node has the slot".to_owned()))
    }

    /// A connection for what no script may wait behind, with the answers in usual time.
    pub(super) async fn beside(&self) -> Result<Wire, Error> {
        let made = match &self.source {
            Source::One { client, config } => lazy(client, config).map(Wire::Managed),
            Source::Sentinel { .. } => {
                let client = self.client(Partition(0)).await?;
                sentinel::connect(&client, &self.config(Some(self.response_timeout))).await.map(Wire::Plain)
            }
            Source::Cluster { client, .. } => client.get_async_connection().await.map(Wire::Cluster),
        };
        made.map_err(|error| fault(&error))
    }

    /// Makes one command on a partition's connection.
    pub(super) async fn command<T: FromRedisValue>(&self, partition: Partition, command: &Cmd) -> Result<T, Error> {
        self.try_command(partition, command).await.map_err(|error| fault(&error))
    }

    /// The same, for callers that look at the server's error.
    pub(super) async fn try_command<T: FromRedisValue>(
        &self,
        partition: Partition,
        command: &Cmd,
    ) -> Result<T, RedisError> {
        let reply = measured(async {
            let link = self.of(partition).await?;
            let reply = link.send(&keys::tag(partition), command).await;
            self.look(partition, &link, reply)
        });
        Ok(redis::from_redis_value(reply.await?)?)
    }

    /// Makes several commands in one go on a partition's connection.
    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        partition: Partition,
        pipeline: &Pipeline,
    ) -> Result<T, Error> {
        self.try_pipeline(partition, pipeline).await.map_err(|error| fault(&error))
    }

    pub(super) async fn try_pipeline<T: FromRedisValue>(
        &self,
        partition: Partition,
        pipeline: &Pipeline,
    ) -> Result<T, RedisError> {
        let reply = measured(async {
            let link = self.of(partition).await?;
            let reply = link.send_all(&keys::tag(partition), pipeline).await;
            self.look(partition, &link, reply)
        });
        Ok(redis::from_redis_value(Value::Array(reply.await?))?)
    }

    /// Makes one command on each server that takes writes.
    pub(super) async fn everywhere(&self, command: &Cmd) -> Result<Vec<Value>, Error> {
        let any = Partition(0);
        let link = self.of(any).await.map_err(|error| fault(&error))?;
        let reply = link.everywhere(command).await;
        self.look(any, &link, reply).map_err(|error| fault(&error))
    }

    fn place(&self, partition: Partition) -> usize {
        usize::from(partition.0) % self.links.len()
    }

    async fn of(&self, partition: Partition) -> RedisResult<Arc<Wire>> {
        let place = self.place(partition);
        let known = self.links[place].read().clone();
        match known {
            Some(wire) => Ok(wire),
            None => self.follow(place).await.inspect_err(|_| self.troubled.notify_one()),
        }
    }

    /// A connection to a server that was demoted is replaced: the address may name another. So
    /// is one on which no answer came in time, and the others with it: their other end may be
    /// gone without a word, and then they would never end by themselves. What sentinels named
    /// is left at any break, since another may be the primary by then.
    fn look<T>(&self, partition: Partition, used: &Arc<Wire>, reply: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &reply
            && (demoted(error) || error.is_timeout() || error.is_io_error())
        {
            let known = self.links[self.place(partition)].read().clone();
            // Of several calls that waited in vain the first replaces them for all.
            let first = known.is_some_and(|known| Arc::ptr_eq(&known, used));
            if first && (self.guarded() || demoted(error) || error.is_timeout()) {
                self.replace();
            }
            self.troubled.notify_one();
        }
        reply
    }

    fn replace(&self) {
        for link in &self.links {
            match &self.source {
                Source::One { client, config } => {
                    if let Ok(fresh) = lazy(client, config) {
                        *link.write() = Some(Arc::new(Wire::Managed(fresh)));
                    }
                }
                // The client of a cluster finds nodes that moved by itself, but one that waited in vain
                // while slots moved may do so for ever.
                Source::Sentinel { .. } | Source::Cluster { .. } => *link.write() = None,
            }
        }
    }
}

/// Tells how long a round trip took. A script that the server has forgotten is no failure: it is
/// loaded and called again.
async fn measured<T>(trip: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let began = Instant::now();
    let reply = trip.await;
    let metrics = metrics::store();
    metrics.round_trip.observe(metrics::seconds(began.elapsed()));
    if reply.as_ref().is_err_and(|error| !forgotten(error)) {
        metrics.errors.inc();
    }
    reply
}

impl Source {
    fn of(address: &Address, response_timeout: Duration) -> RedisResult<Self> {
        Ok(match &address.place {
            Place::One(info) => {
                let config = ConnectionManagerConfig::new()
                    .set_response_timeout(Some(response_timeout))
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_number_of_retries(3)
                    .set_min_delay(Duration::from_millis(50))
                    .set_max_delay(Duration::from_millis(500));
                Self::One { client: address.one(info)?, config: Box::new(config) }
            }
            Place::Sentinel { sentinels, master } => Self::Sentinel {
                sentinels: Sentinels::new(address, sentinels, master)?,
                led_by: tokio::sync::Mutex::new(None),
            },
            Place::Cluster(nodes) => Self::Cluster {
                client: Box::new(cluster(address, nodes, response_timeout)?),
                joining: tokio::sync::Mutex::default(),
            },
        })
    }
}

fn cluster(address: &Address, nodes: &[(String, u16)], response_timeout: Duration) -> RedisResult<ClusterClient> {
    let infos = nodes.iter().map(|(host, port)| address.info(host, *port, &address.login));
    let mut builder = ClusterClient::builder(infos.collect::<RedisResult<Vec<_>>>()?)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_RETRY_MS.0)
        .max_retry_wait(CLUSTER_RETRY_MS.1)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(response_timeout);
    if let Some(certificates) = &address.certificates {
        builder = builder.certs(certificates.clone());
    }
    builder.build()
}

fn lazy(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<ConnectionManager> {
    ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
}

/// Host and port of the primary of a range of slots, if that one is among them.
fn node_within(range: Vec<Value>, slot: Slot) -> Option<(String, u16)> {
    let mut fields = range.into_iter();
    let first: u16 = redis::from_redis_value(fields.next()?).ok()?;
    let last: u16 = redis::from_redis_value(fields.next()?).ok()?;
    let primary: Vec<Value> = redis::from_redis_value(fields.next()?).ok()?;
    let mut primary = primary.into_iter();
    let host = redis::from_redis_value(primary.next()?).ok()?;
    let port = redis::from_redis_value(primary.next()?).ok()?;
    (first..=last).any(|number| Slot::new(number) == Some(slot)).then_some((host, port))
}
