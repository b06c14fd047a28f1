//! What operators' answers are made of: pages of the audit, runs in outline, single due entries.

use baton_common::records::{Audit, AuditHead, DueKey};
use baton_common::{Partition, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::reader::run_in_outline;
use super::rows::{AUDIT_HEAD, decode, fault, value};
use crate::{AuditPage, Error, RunDetail};

/// Entries behind a place, which is the number of the last one's row.
pub(super) fn audit_page(
    connection: &Connection,
    partition: Partition,
    after: Option<i64>,
    limit: u32,
    newest_first: bool,
) -> Result<AuditPage, Error> {
    let sql = if newest_first {
        "SELECT number, row FROM audit WHERE part = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
    } else {
        "SELECT number, row FROM audit WHERE part = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
    };
    let start = after.unwrap_or(if newest_first { i64::MAX } else { -1 });
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement
        .query_map(params![partition.0, start, limit], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
    let (mut entries, mut last): (Vec<Audit>, _) = (Vec::new(), None);
    for row in rows.map_err(fault)? {
        let (number, text) = row.map_err(fault)?;
        entries.push(decode(&text)?);
        last = Some(number);
    }
    let full = entries.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(AuditPage { entries, next: last.filter(|_| full).map(|number| number.to_string()) })
}

pub(super) fn audit_head(connection: &Connection, partition: Partition) -> Result<Option<AuditHead>, Error> {
    value(connection, AUDIT_HEAD, [super::rows::audit_head(partition)])
}

pub(super) fn outline(connection: &Connection, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
    run_in_outline(connection, run, tasks_max)
}

pub(super) fn due_at(
    connection: &Connection,
    partition: Partition,
    keys: &[DueKey],
) -> Result<Vec<Option<Timestamp>>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT at FROM due WHERE part = ?1 AND member = ?2").map_err(fault)?;
    keys.iter()
        .map(|key| {
            let at = statement.query_row(params![partition.0, key.member()], |row| row.get(0)).optional();
            Ok(at.map_err(fault)?.map(Timestamp))
        })
        .collect()
}

pub(super) fn parked(connection: &Connection, run: RunId) -> Result<Option<(Timestamp, String)>, Error> {
    let mut statement = connection.prepare_cached("SELECT at, reason FROM parked WHERE run = ?1").map_err(fault)?;
    let found = statement.query_row([run.to_string()], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)));
    found.optional().map_err(fault)
}
