//! Connections: multiplexed, rebuilt by themselves, chosen by partition.
//!
//! A call is made once. Whoever makes it repeats it: a call that was not answered in time
//! may have been made all the same.

use std::sync::Arc;
use std::time::Duration;

use baton_common::Partition;
use parking_lot::RwLock;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError};

use super::RedisOptions;
use super::fault::{demoted, fault};
use crate::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Links {
    client: Client,
    config: ConnectionManagerConfig,
    links: Vec<RwLock<Arc<ConnectionManager>>>,
}

impl Links {
    /// Connects as often as asked; fails when the first connection does.
    pub(super) async fn connect(options: &RedisOptions) -> Result<Self, Error> {
        let client = Client::open(options.url.as_str()).map_err(|error| fault(&error))?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(Duration::from_millis(options.response_timeout_ms)))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(3)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500));
        let first = ConnectionManager::new_with_config(client.clone(), config.clone());
        let mut links =
            Self { links: vec![RwLock::new(Arc::new(first.await.map_err(|error| fault(&error))?))], client, config };
        for _ in 1..options.connections {
            links.links.push(RwLock::new(Arc::new(links.lazy()?)));
        }
        Ok(links)
    }

    /// A connection of its own, for what no script may wait behind, and how to make others.
    pub(super) fn beside(&self) -> Result<(Client, ConnectionManager), Error> {
        Ok((self.client.clone(), self.lazy()?))
    }

    fn lazy(&self) -> Result<ConnectionManager, Error> {
        ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone()).map_err(|error| fault(&error))
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
        let link = self.of(partition);
        let reply = command.query_async(&mut link.as_ref().clone()).await;
        self.look(partition, &link, reply)
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
        let link = self.of(partition);
        let reply = pipeline.query_async(&mut link.as_ref().clone()).await;
        self.look(partition, &link, reply)
    }

    fn place(&self, partition: Partition) -> usize {
        usize::from(partition.0) % self.links.len()
    }

    fn of(&self, partition: Partition) -> Arc<ConnectionManager> {
        self.links[self.place(partition)].read().clone()
    }

    /// A connection to a server that was demoted is replaced: the address may name another. So
    /// is one on which no answer came in time, and the others with it: their other end may be
    /// gone without a word, and then they would never end by themselves.
    fn look<T>(
        &self,
        partition: Partition,
        used: &Arc<ConnectionManager>,
        reply: Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        if let Err(error) = &reply
            && (demoted(error) || error.is_timeout())
        {
            // Of several calls that waited in vain the first replaces them for all.
            if Arc::ptr_eq(&self.of(partition), used) {
                self.replace();
            }
        }
        reply
    }

    fn replace(&self) {
        for link in &self.links {
            if let Ok(fresh) = self.lazy() {
                *link.write() = Arc::new(fresh);
            }
        }
    }
}
