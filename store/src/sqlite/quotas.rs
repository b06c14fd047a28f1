//! Quotas and their meters, in SQLite.

use async_trait::async_trait;
use baton_common::records::Quota;
use baton_common::{TenantId, Timestamp};
use rusqlite::params;

use super::SqliteStore;
use super::rows::{decode, encode, fault, texts, value};
use crate::meter::{MeterAct, MeterRow, Metered};
use crate::{Error, Quotas};

/// Made where they are missing: a program that knows nothing of them leaves them alone.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS quota (owner TEXT, name TEXT, row TEXT NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meter (name TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;";

#[async_trait]
impl Quotas for SqliteStore {
    async fn put_quota(&self, quota: Quota) -> Result<(), Error> {
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO quota (owner, name, row) VALUES (?1, ?2, ?3)";
            connection.execute(sql, params![quota.owner.as_str(), quota.name, encode(&quota)?]).map_err(fault)?;
            Ok(())
        })
        .await
    }

    async fn quotas(&self) -> Result<Vec<Quota>, Error> {
        self.read(|connection| {
            let rows = texts(connection, "SELECT row FROM quota ORDER BY owner, name", [])?;
            rows.iter().map(|row| decode(row)).collect()
        })
        .await
    }

    async fn remove_quota(&self, owner: &TenantId, name: &str) -> Result<bool, Error> {
        let row = [owner.to_string(), name.to_owned()];
        self.write(move |connection| {
            let sql = "DELETE FROM quota WHERE owner = ?1 AND name = ?2";
            Ok(connection.execute(sql, row).map_err(fault)? > 0)
        })
        .await
    }

    async fn meter(&self, name: &str, act: MeterAct, at: Option<Timestamp>) -> Result<Metered, Error> {
        let name = name.to_owned();
        self.write(move |connection| {
            let known = value::<MeterRow>(connection, "SELECT row FROM meter WHERE name = ?1", [&name])?;
            let mut row = known.clone().unwrap_or_default();
            let answer = row.act(&act, at.unwrap_or_else(super::worker::clock));
            if known.unwrap_or_default() != row {
                let sql = "INSERT OR REPLACE INTO meter (name, row) VALUES (?1, ?2)";
                connection.execute(sql, params![name, encode(&row)?]).map_err(fault)?;
            }
            Ok(answer)
        })
        .await
    }
}
