//! How much is under way, by an index over open runs alone.

use baton_common::Timestamp;
use baton_common::records::RunStatus;
use rusqlite::Connection;

use super::rows::fault;
use super::worker::clock;
use crate::{Counts, Error};

/// Ended runs, the most, are not in it.
pub(super) const INDEX: &str = "
CREATE INDEX IF NOT EXISTS run_open ON run (json_extract(state, '$.status'))
    WHERE json_extract(state, '$.status') IN ('queued', 'running', 'cancelling', 'undoing', 'stuck');";

pub(super) fn counts(connection: &Connection) -> Result<Counts, Error> {
    let mut counts = Counts { now: clock(), ..Counts::default() };
    let sql = "SELECT json_extract(state, '$.status') AS status, count(*) FROM run
               WHERE json_extract(state, '$.status') IN ('queued', 'running', 'cancelling', 'undoing', 'stuck')
               GROUP BY status";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?))).map_err(fault)?;
    for row in rows {
        let (name, count) = row.map_err(fault)?;
        let status = serde_json::from_value::<RunStatus>(name.into());
        counts.open(status.map_err(|error| Error::Broken(error.to_string()))?, count.into());
    }
    let sql = "SELECT count(*), min(at) FROM inbox";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let asked: (u32, Option<i64>) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fault)?;
    if let (count, Some(at)) = asked {
        counts.asked(count.into(), Timestamp(at));
    }
    Ok(counts)
}
