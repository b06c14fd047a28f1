//! What is checked before a server is trusted, and the store's identity on it.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::Partition;
use redis::cmd;
use tracing::warn;

use super::keys;
use super::link::Links;
use crate::Error;

/// The layout this program reads and writes.
const LAYOUT: &str = "1";

const ANY: Partition = Partition(0);

/// Refuses servers that are too old, evict data or keep no log.
pub(super) async fn check_server(links: &Links, allow_no_aof: bool) -> Result<(), Error> {
    for info in info(links).await? {
        check_one(&info, allow_no_aof)?;
    }
    advise(links).await;
    Ok(())
}

fn check_one(info: &BTreeMap<String, String>, allow_no_aof: bool) -> Result<(), Error> {
    let version = info.get("redis_version").map_or("", String::as_str);
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < 7 {
        return Err(Error::Broken(format!("the server is of version {version:?}, at least 7.0 is needed")));
    }
    if let Some(policy) = info.get("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        return Err(Error::Broken(format!(
            "the server evicts data when memory is short: set maxmemory-policy to noeviction, it is {policy}"
        )));
    }
    if info.get("aof_enabled").is_none_or(|enabled| enabled != "1") {
        if !allow_no_aof {
            return Err(Error::Broken("the server keeps no append-only file: set appendonly to yes".to_owned()));
        }
        warn!(appendonly = "no", "acknowledged work is lost when the server ends");
    }
    Ok(())
}

/// Settings that cost memory, or work at a failover. Some servers tell nobody their
/// configuration.
async fn advise(links: &Links) {
    if let Some(bytes) = setting(links, "hash-max-listpack-value").await.filter(|bytes| *bytes < 2_048) {
        tracing::info!(hash_max_listpack_value = bytes, advised = 2_048, "small runs take less memory with more");
    }
    if links.guarded() && setting(links, "min-replicas-to-write").await == Some(0) {
        warn!(
            min_replicas_to_write = 0,
            advised = 1,
            "a primary that is cut off takes writes, which are lost once a replica is promoted"
        );
    }
}

async fn setting(links: &Links, name: &str) -> Option<u32> {
    let answers = links.everywhere(cmd("CONFIG").arg("GET").arg(name)).await.ok()?;
    let pairs = answers.into_iter().filter_map(|answer| redis::from_redis_value::<Vec<String>>(answer).ok());
    pairs.filter_map(|pair| pair.get(1)?.parse().ok()).min()
}

/// What each server tells of itself.
async fn info(links: &Links) -> Result<Vec<BTreeMap<String, String>>, Error> {
    let answers = links.everywhere(cmd("INFO").arg("server").arg("memory").arg("persistence")).await?;
    answers.into_iter().map(lines).collect()
}

/// The names and values that INFO answers.
fn lines(answer: redis::Value) -> Result<BTreeMap<String, String>, Error> {
    let text: String = redis::from_redis_value(answer).map_err(|_| super::pack::broken("a server's INFO"))?;
    let lines = text.lines().filter_map(|line| line.trim_end().split_once(':'));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The processes that take writes: others after each start, and after each promotion.
pub(super) async fn processes(links: &Links) -> Result<BTreeSet<String>, Error> {
    let answers = links.everywhere(cmd("INFO").arg("server")).await?;
    let ids = answers.into_iter().map(|answer| Ok(lines(answer)?.remove("run_id").unwrap_or_default()));
    ids.collect()
}

/// Names the store when it is new; checks that it is one of ours otherwise.
pub(super) async fn identity(links: &Links) -> Result<String, Error> {
    let fresh = uuid::Uuid::new_v4().simple().to_string();
    let wanted = [("layout", LAYOUT), ("partitions", "256"), ("cluster", fresh.as_str())];
    let mut found = BTreeMap::new();
    for (name, value) in wanted {
        links.command::<i64>(ANY, cmd("HSETNX").arg(keys::META).arg(name).arg(value)).await?;
        let kept: String = links.command(ANY, cmd("HGET").arg(keys::META).arg(name)).await?;
        if name != "cluster" && kept != value {
            return Err(Error::Broken(format!("the store's {name} is {kept}, this program knows {value}")));
        }
        found.insert(name, kept);
    }
    found.remove("cluster").ok_or_else(|| Error::Broken("the store has no name".to_owned()))
}
