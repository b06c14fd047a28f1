//! Schedules in SQLite.

use async_trait::async_trait;
use baton_common::TenantId;
use baton_common::records::{ScheduleId, ScheduleRow};
use rusqlite::params;

use super::SqliteStore;
use super::rows::{SqlRows, decode, encode, fault, texts, value};
use crate::machine::{Outcome, ScheduleRows};
use crate::{Error, Schedules};

const ONE: &str = "SELECT row FROM schedule WHERE id = ?1";

impl ScheduleRows for SqlRows<'_> {
    fn schedule(&mut self, id: ScheduleId) -> Outcome<Option<ScheduleRow>> {
        value(self.connection, ONE, [id.0.to_string()])
    }

    fn put_schedule(&mut self, id: ScheduleId, row: &ScheduleRow) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO schedule (id, tenant, name, row) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let columns = params![id.0.to_string(), row.tenant.as_str(), row.name, encode(row)?];
        statement.execute(columns).map(drop).map_err(fault)
    }

    fn delete_schedule(&mut self, id: ScheduleId) -> Outcome<()> {
        let mut statement = self.connection.prepare_cached("DELETE FROM schedule WHERE id = ?1").map_err(fault)?;
        statement.execute([id.0.to_string()]).map(drop).map_err(fault)
    }
}

#[async_trait]
impl Schedules for SqliteStore {
    async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, Error> {
        self.read(move |connection| value(connection, ONE, [id.0.to_string()])).await
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduleRow>, Error> {
        let tenant = tenant.to_string();
        self.read(move |connection| {
            let rows = texts(connection, "SELECT row FROM schedule WHERE tenant = ?1 ORDER BY name", [tenant])?;
            rows.iter().map(|row| decode(row)).collect()
        })
        .await
    }
}
