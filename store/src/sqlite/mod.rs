//! A store in one SQLite file, for one process: the machine over its tables.
//!
//! One thread writes and commits in groups with full sync: what a caller was promised is on
//! the disk before it is told. Another reads. The folder is locked for as long as the store
//! is open: whoever gets it knows that claims found in it are of processes that are gone.

mod counts;
mod dump;
mod event;
mod looks;
mod quotas;
mod reader;
mod registry;
mod retention;
mod rows;
mod scan;
mod schedules;
mod worker;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::settings::Timings;
use baton_common::transition::{DuePage, Op, PopDue, Reply};
use baton_common::{Partition, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::suite::Subject;
use crate::{Counts, Error, Store};
use rows::fault;
use worker::Thread;

/// The layout this program reads and writes.
const LAYOUT: &str = "4";
/// What brings a store of an earlier layout to the next.
const MIGRATIONS: [(&str, &str, &str); 3] = [
    ("1", "2", include_str!("migrate_2.sql")),
    ("2", "3", include_str!("migrate_3.sql")),
    ("3", "4", include_str!("migrate_4.sql")),
];

/// How a SQLite store is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The folder that holds the database; made where it is missing.
    pub folder: PathBuf,
    /// Protocol timings.
    pub timings: Timings,
}

/// A store in one SQLite file; clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    file: PathBuf,
    cluster: String,
    writer: Thread,
    reader: Thread,
    /// Held as long as the store is open.
    lock: Lock,
}

/// The folder's lock. It is given back by name: a child that is just being started still has
/// the file open for a moment, and would hold what is merely closed.
struct Lock(File);

impl Lock {
    fn give_back(&self) {
        let _ = self.0.unlock();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl SqliteStore {
    /// Opens or makes the store in that folder.
    ///
    /// # Errors
    /// `Unavailable` when another process has it open, `Broken` when it is of another
    /// layout or cannot be read.
    pub fn open(options: &SqliteOptions) -> Result<Self, Error> {
        std::fs::create_dir_all(&options.folder).map_err(|error| at(&options.folder, &error))?;
        let lock = lock(&options.folder)?;
        let file = options.folder.join("baton.sqlite");
        let connection = connect(&file)?;
        let cluster = prepare(&connection)?;
        release_claims(&connection)?;
        let reading = connect(&file)?;
        reading.pragma_update(None, "query_only", true).map_err(fault)?;
        let writer = Thread::start("sqlite-writer", connection, options.timings.clone())?;
        let reader = Thread::start("sqlite-reader", reading, options.timings.clone())?;
        Ok(Self { shared: Arc::new(Shared { cluster, writer, reader, file, lock }) })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.reader.run(read).await
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.writer.run(write).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        self.shared.writer.apply(op, None).await
    }

    async fn pop_due(&self, partitions: &[Partition], limit: u32, hide_ms: u64) -> Result<Vec<DuePage>, Error> {
        // Most partitions have nothing due: one read finds those that have.
        let (now, nearest) = self.read(|connection| Ok((worker::clock(), reader::nearest_due(connection)?))).await?;
        let mut pages = Vec::with_capacity(partitions.len());
        for &partition in partitions {
            let next = nearest.get(&partition).copied();
            if next.is_none_or(|next| next > now) {
                pages.push(DuePage { due: Vec::new(), next, now });
                continue;
            }
            match self.apply(Op::PopDue(PopDue { partition, limit, hide_ms })).await? {
                Reply::PopDue(page) => pages.push(page),
                other => return Err(Error::Broken(format!("POP_DUE answered {other:?}"))),
            }
        }
        Ok(pages)
    }

    /// The folder's lock makes this process the only one.
    async fn lease_partition(&self, _partition: Partition, _owner: &str, _ms: u64) -> Result<bool, Error> {
        Ok(true)
    }

    async fn counts(&self) -> Result<Counts, Error> {
        self.read(counts::counts).await
    }

    async fn close(&self) {
        self.shared.writer.stop().await;
        self.shared.reader.stop().await;
        self.shared.lock.give_back();
    }
}

#[async_trait]
impl Subject for SqliteStore {
    async fn apply_when(&self, op: &Op, now: Timestamp) -> Result<Reply, Error> {
        self.shared.writer.apply(op.clone(), Some(now)).await
    }

    async fn rows(&self, partition: Partition) -> Result<BTreeMap<String, String>, Error> {
        self.read(move |connection| dump::dump(connection, partition)).await
    }
}

fn at(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

fn lock(folder: &Path) -> Result<Lock, Error> {
    let path = folder.join("LOCK");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| at(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Unavailable(format!(
            "{} is open in another process: stop that one, or choose another data folder",
            folder.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(at(&path, &error)),
    }
}

fn connect(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(file).map_err(fault)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "journal_mode", "wal").map_err(fault)?;
    connection.pragma_update(None, "synchronous", "full").map_err(fault)?;
    Ok(connection)
}

/// Makes the tables of a new file, or checks those of a known one. The store's name.
fn prepare(connection: &Connection) -> Result<String, Error> {
    let known: bool = connection
        .query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))
        .map_err(fault)?;
    if !known {
        let transaction = connection.unchecked_transaction().map_err(fault)?;
        transaction.execute_batch(include_str!("schema.sql")).map_err(fault)?;
        let cluster = uuid::Uuid::new_v4().simple().to_string();
        for (name, value) in [("layout", LAYOUT), ("partitions", "256"), ("cluster", cluster.as_str())] {
            let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
            transaction.execute(sql, params![name, value]).map_err(fault)?;
        }
        transaction.commit().map_err(fault)?;
    }
    for (from, to, sql) in MIGRATIONS {
        if meta(connection, "layout")?.as_deref() == Some(from) {
            let transaction = connection.unchecked_transaction().map_err(fault)?;
            transaction.execute_batch(sql).map_err(fault)?;
            transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'layout'", [to]).map_err(fault)?;
            transaction.commit().map_err(fault)?;
        }
    }
    for (name, wanted) in [("layout", LAYOUT), ("partitions", "256")] {
        let found = meta(connection, name)?.unwrap_or_default();
        if found != wanted {
            return Err(Error::Broken(format!("the store's {name} is {found}, this program knows {wanted}")));
        }
    }
    connection.execute_batch(quotas::TABLES).map_err(fault)?;
    connection.execute_batch(counts::INDEX).map_err(fault)?;
    meta(connection, "cluster")?.ok_or_else(|| Error::Broken("the store has no name".to_owned()))
}

fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional().map_err(fault)
}

/// Lets the leases of processes that are gone run out now instead of in half a minute.
fn release_claims(connection: &Connection) -> Result<(), Error> {
    let transaction = connection.unchecked_transaction().map_err(fault)?;
    let sql = "UPDATE task SET row = json_set(row, '$.state.claimed.lease_until', 0)
               WHERE json_extract(row, '$.state.claimed.lease_until') IS NOT NULL";
    transaction.execute(sql, []).map_err(fault)?;
    transaction.execute("UPDATE due SET at = 0 WHERE member LIKE 'l|%'", []).map_err(fault)?;
    transaction.commit().map_err(fault)
}
