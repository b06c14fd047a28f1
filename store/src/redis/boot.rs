//! What is checked before a server is trusted, and the store's identity on it.

use std::collections::BTreeMap;

use baton_common::Partition;
use redis::cmd;
use tracing::warn;

use super::keys;
use super::link::Links;
use crate::Error;

/// The layout this program reads and writes.
const LAYOUT: &str = "1";

const ANY: Partition = Partition(0);

/// Refuses a server that is too old, evicts data or keeps no log.
pub(super) async fn check_server(links: &Links, allow_no_aof: bool) -> Result<(), Error> {
    let info = info(links).await?;
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
    advise(links).await;
    Ok(())
}

/// Settings that only cost memory. Some servers tell nobody their configuration.
async fn advise(links: &Links) {
    let asked: Result<Vec<String>, Error> =
        links.command(ANY, cmd("CONFIG").arg("GET").arg("hash-max-listpack-value")).await;
    let bytes = asked.ok().and_then(|pair| pair.get(1)?.parse::<u32>().ok());
    if let Some(bytes) = bytes.filter(|bytes| *bytes < 2_048) {
        tracing::info!(hash_max_listpack_value = bytes, advised = 2_048, "small runs take less memory with more");
    }
}

async fn info(links: &Links) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for section in ["server", "memory", "persistence"] {
        let text: String = links.command(ANY, cmd("INFO").arg(section)).await?;
        let lines = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        all.extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    Ok(all)
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
