//! Who needs what of threads, in SQLite.

use baton_common::{Seq, ThreadKey};
use rusqlite::{OptionalExtension as _, Params, params};

use super::rows::{SqlRows, fault, number};
use crate::machine::{Outcome, RetentionRows};

impl SqlRows<'_> {
    /// A seq of at most one row.
    fn seq(&self, sql: &str, params: impl Params) -> Outcome<Option<Seq>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let found: Option<Option<i64>> = statement.query_row(params, |row| row.get(0)).optional().map_err(fault)?;
        Ok(found.flatten().and_then(|seq| u64::try_from(seq).ok()).map(Seq))
    }
}

impl RetentionRows for SqlRows<'_> {
    fn first_held(&mut self, key: &ThreadKey) -> Outcome<Option<Seq>> {
        let sql = "SELECT min(seq) FROM held WHERE tenant = ?1 AND thread = ?2";
        self.seq(sql, params![key.tenant.as_str(), key.thread.as_str()])
    }

    fn held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<Option<Seq>> {
        let sql = "SELECT seq FROM held WHERE tenant = ?1 AND thread = ?2 AND holder = ?3";
        self.seq(sql, params![key.tenant.as_str(), key.thread.as_str(), holder])
    }

    fn put_held(&mut self, key: &ThreadKey, holder: &str, seq: Seq) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO held (tenant, thread, holder, seq) VALUES (?1, ?2, ?3, ?4)";
        self.write(sql, params![key.tenant.as_str(), key.thread.as_str(), holder, number(seq.0)])
    }

    fn delete_held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<()> {
        let sql = "DELETE FROM held WHERE tenant = ?1 AND thread = ?2 AND holder = ?3";
        self.write(sql, params![key.tenant.as_str(), key.thread.as_str(), holder])
    }

    fn delete_checkpoints(&mut self, key: &ThreadKey, from: Seq, below: Seq) -> Outcome<()> {
        let sql = "DELETE FROM checkpoint WHERE tenant = ?1 AND thread = ?2 AND seq >= ?3 AND seq < ?4";
        self.write(sql, params![key.tenant.as_str(), key.thread.as_str(), number(from.0), number(below.0)])
    }

    fn delete_thread(&mut self, key: &ThreadKey) -> Outcome<()> {
        for table in ["thread", "checkpoint", "segment", "signal", "held"] {
            let sql = format!("DELETE FROM {table} WHERE tenant = ?1 AND thread = ?2");
            self.write(&sql, params![key.tenant.as_str(), key.thread.as_str()])?;
        }
        Ok(())
    }
}
