//! The only file that names concrete adapters: which store, broker and blob store an
//! address means.

use std::path::PathBuf;
use std::sync::Arc;

use baton_blobs::BlobStore;
use baton_broker::Broker;
use baton_broker::memory::Memory;
use baton_broker::rabbit::{Rabbit, RabbitOptions};
use baton_common::settings::Timings;
use baton_store::Store;
use baton_store::machine::Guards;
use baton_store::memory::MemoryStore;
use baton_store::redis::{RedisOptions, RedisStore};
use baton_store::sqlite::{SqliteOptions, SqliteStore};

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It names nothing that is known.
    #[error("unknown {what} {given:?}: use {known}")]
    Unknown {
        /// Store or broker.
        what: &'static str,
        /// What was given, without what follows the scheme.
        given: String,
        /// What is known.
        known: &'static str,
    },
    /// The store does not open.
    #[error("the store does not open: {0}")]
    Store(#[from] baton_store::Error),
    /// The broker's address does not read.
    #[error("the broker's address does not read: {0}")]
    Broker(String),
    /// The blob store does not open.
    #[error("the blob store does not open: {0}")]
    Blobs(#[from] baton_blobs::Error),
}

const STORES: &str = "redis://…, redis+sentinel://…, redis+cluster://…, sqlite:FOLDER or memory:";
const BROKERS: &str = "amqp://…, amqps://… or memory:";

/// Connections to Redis: with a server that syncs always, one would commit only a dozen
/// calls a sync; with one that syncs every second more than one costs a little.
const REDIS_CONNECTIONS: usize = 8;

/// The store at that address: `redis://…`, `redis+sentinel://…`, `redis+cluster://…`, each with
/// TLS as `rediss`, `sqlite:FOLDER` or `memory:`.
///
/// # Errors
/// When it does not open, or the address names nothing that is known.
pub async fn store(url: &str, timings: &Timings) -> Result<Arc<dyn Store>, Error> {
    guarded_store(url, timings, Guards::default()).await
}

/// The same, for drills that take a check of the one in Redis away.
///
/// # Errors
/// When it does not open, or the address names nothing that is known.
pub async fn guarded_store(url: &str, timings: &Timings, guards: Guards) -> Result<Arc<dyn Store>, Error> {
    match url.split_once(':') {
        Some(("memory", _)) => Ok(Arc::new(MemoryStore::new(timings.clone()))),
        Some((scheme, _)) if matches!(scheme.split('+').next(), Some("redis" | "rediss")) => {
            let mut options = RedisOptions::new(url, timings.clone());
            options.connections = REDIS_CONNECTIONS;
            options.guards = guards;
            Ok(Arc::new(RedisStore::connect(options).await?))
        }
        Some(("sqlite", folder)) if !folder.is_empty() => {
            let options = SqliteOptions { folder: PathBuf::from(folder), timings: timings.clone() };
            Ok(Arc::new(SqliteStore::open(&options)?))
        }
        _ => Err(unknown("store", url, STORES)),
    }
}

/// The broker at that address: `amqp://…`, `amqps://…` or `memory:`. A real one may come
/// later: this does not wait for it. Must be called within the runtime that outlives it.
///
/// # Errors
/// When the address does not read.
pub fn broker(url: &str) -> Result<Arc<dyn Broker>, Error> {
    match url.split_once(':') {
        Some(("memory", _)) => Ok(Arc::new(Memory::default())),
        Some(("amqp" | "amqps", _)) => {
            let options = RabbitOptions::parse(url).map_err(|error| Error::Broker(error.to_string()))?;
            Ok(Arc::new(Rabbit::start(options)))
        }
        _ => Err(unknown("broker", url, BROKERS)),
    }
}

/// Whether that is the address of a store, with files that read; nobody is asked.
///
/// # Errors
/// When it is not.
pub fn check_store(url: &str) -> Result<(), Error> {
    match url.split_once(':') {
        Some(("memory", _)) => Ok(()),
        Some((scheme, _)) if matches!(scheme.split('+').next(), Some("redis" | "rediss")) => {
            Ok(RedisOptions::new(url, Timings::default()).check()?)
        }
        Some(("sqlite", folder)) if !folder.is_empty() => Ok(()),
        _ => Err(unknown("store", url, STORES)),
    }
}

/// Whether that is the address of a broker; nobody is asked.
///
/// # Errors
/// When it is not.
pub fn check_broker(url: &str) -> Result<(), Error> {
    match url.split_once(':') {
        Some(("memory", _)) => Ok(()),
        Some(("amqp" | "amqps", _)) => {
            RabbitOptions::parse(url).map(drop).map_err(|error| Error::Broker(error.to_string()))
        }
        _ => Err(unknown("broker", url, BROKERS)),
    }
}

/// Whether that is the address of a blob store; nobody is asked, and no folder made.
///
/// # Errors
/// When it is not.
pub fn check_blobs(url: &str) -> Result<(), Error> {
    match url.split_once(':') {
        Some(("file", folder)) if !folder.is_empty() => Ok(()),
        _ => Ok(baton_blobs::open(url).map(drop)?),
    }
}

/// Whether a broker at that address forgets everything with its process.
#[must_use]
pub fn broker_forgets(url: &str) -> bool {
    url.starts_with("memory:")
}

/// The blob store at that address: `file:FOLDER` or `memory:`.
///
/// # Errors
/// When it does not open.
pub fn blobs(url: &str) -> Result<Arc<dyn BlobStore>, Error> {
    Ok(Arc::new(baton_blobs::open(url)?))
}

/// Passwords stand behind the scheme, so only that is shown.
fn unknown(what: &'static str, url: &str, known: &'static str) -> Error {
    let given = url.split(':').next().unwrap_or_default().to_owned();
    Error::Unknown { what, given, known }
}
