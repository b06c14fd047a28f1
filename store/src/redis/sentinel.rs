//! Who the primary is, as sentinels tell it.
//!
//! All of them are asked and the newest vote counts, since a sentinel that comes back, or is
//! cut off, still names the primary of before. Whom they name is believed once it says itself
//! that it is one.

use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, Value, cmd};
use tokio::sync::Mutex;

use super::address::Address;

/// How long a sentinel may take.
const SENTINEL_WITHIN: Duration = Duration::from_secs(1);

/// The sentinels of one primary.
pub(super) struct Sentinels {
    sentinels: Vec<(Client, Mutex<Option<MultiplexedConnection>>)>,
    master: String,
}

/// Where the primary is, by a vote of that number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    epoch: u64,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Sentinels {
    pub(super) fn new(address: &Address, hosts: &[(String, u16)], master: &str) -> RedisResult<Self> {
        let sentinels = hosts.iter().map(|(host, port)| Ok((address.sentinel(host, *port)?, Mutex::new(None))));
        Ok(Self { sentinels: sentinels.collect::<RedisResult<_>>()?, master: master.to_owned() })
    }

    /// Where the newest vote says that the primary is.
    pub(super) async fn primary(&self) -> RedisResult<Named> {
        let answers = join_all(self.sentinels.iter().map(|(client, kept)| self.ask(client, kept))).await;
        let mut refused = None;
        let mut named: Option<Named> = None;
        for answer in answers {
            match answer {
                Ok(found) => named = named.max(Some(found)),
                Err(error) => refused = Some(error),
            }
        }
        named.ok_or_else(|| refused.unwrap_or_else(nobody))
    }

    async fn ask(&self, client: &Client, kept: &Mutex<Option<MultiplexedConnection>>) -> RedisResult<Named> {
        let mut kept = kept.lock().await;
        let mut link = match kept.take() {
            Some(link) => link,
            None => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(SENTINEL_WITHIN))
                    .set_response_timeout(Some(SENTINEL_WITHIN));
                client.get_multiplexed_async_connection_with_config(&config).await?
            }
        };
        let answer: Value = cmd("SENTINEL").arg("MASTER").arg(&self.master).query_async(&mut link).await?;
        *kept = Some(link);
        named(answer).ok_or_else(nobody)
    }
}

/// What a sentinel knows of a primary: names and values.
fn named(answer: Value) -> Option<Named> {
    let fields: std::collections::BTreeMap<String, String> = redis::from_redis_value(answer).ok()?;
    Some(Named {
        epoch: fields.get("config-epoch")?.parse().ok()?,
        host: fields.get("ip")?.clone(),
        port: fields.get("port")?.parse().ok()?,
    })
}

/// Connects to a server, and believes it only if it is a primary.
pub(super) async fn connect(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
    let mut link = client.get_multiplexed_async_connection_with_config(config).await?;
    let role: Vec<Value> = cmd("ROLE").query_async(&mut link).await?;
    match role.into_iter().next().map(redis::from_redis_value::<String>) {
        Some(Ok(role)) if role == "master" => Ok(link),
        _ => Err(RedisError::from((ErrorKind::Io, "whom the sentinels name is no primary"))),
    }
}

fn nobody() -> RedisError {
    RedisError::from((ErrorKind::Io, "no sentinel names a primary"))
}
