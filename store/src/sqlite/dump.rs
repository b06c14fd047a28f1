//! Every row of a partition as text, in the form of the memory adapter's dump.

use std::collections::BTreeMap;

use baton_common::Partition;
use baton_common::ids::{TenantId, ThreadId, ThreadKey};
use baton_common::records::{Group, Task};
use rusqlite::Connection;

use super::event;
use super::rows::{decode, encode, fault};
use crate::Error;

/// Queries of two columns, name and row, for runs of the partition.
const BY_RUN: [&str; 13] = [
    "SELECT 'schedule ' || id, row, id FROM schedule",
    "SELECT 'run ' || run || ' info', info, run FROM run",
    "SELECT 'run ' || run || ' state', state, run FROM run",
    "SELECT 'run ' || run || ' end', ending, run FROM run WHERE ending IS NOT NULL",
    "SELECT 'group ' || run || ' ' || grp || ' info', info, run FROM grp",
    "SELECT 'group ' || run || ' ' || grp || ' state', state, run FROM grp",
    "SELECT 'continued ' || run || ' ' || grp || ' ' || idx, body, run FROM beside WHERE what = 'continued'",
    "SELECT 'input ' || run || ' ' || grp || ' ' || idx, body, run FROM input",
    "SELECT 'result ' || run || ' ' || grp || ' ' || idx, body, run FROM result",
    "SELECT 'staged ' || run || ' ' || op || ' ' || grp || ' ' || idx, row, run FROM staged",
    "SELECT 'interrupt ' || run || ' ' || grp || ' ' || idx, row, run FROM interrupt",
    "SELECT 'listed ' || tenant || ' ' || run, at || '', run FROM listed",
    "SELECT 'parked ' || run, at || ' ' || reason, run FROM parked",
];

const BY_PARTITION: [&str; 4] = [
    "SELECT 'due ' || member, at || '' FROM due WHERE part = ?1",
    "SELECT 'audit ' || printf('%010d', number), row FROM audit WHERE part = ?1",
    "SELECT 'audit head', value FROM meta WHERE name = printf('audit %03d', ?1)",
    "SELECT 'key ' || tenant || ' ' || tool || ' ' || iif(cache, 'true', 'false') || ' ' || name, row FROM key
     WHERE part = ?1",
];

const BY_THREAD: [&str; 5] = [
    "SELECT 'thread ' || tenant || '/' || thread, row, tenant, thread FROM thread",
    "SELECT 'checkpoint ' || tenant || '/' || thread || ' ' || seq, row, tenant, thread FROM checkpoint",
    "SELECT 'segment ' || tenant || '/' || thread || ' ' || channel || '#' || number, body, tenant, thread FROM segment",
    "SELECT 'held ' || tenant || '/' || thread || ' ' || holder, seq || '', tenant, thread FROM held",
    "SELECT 'signal ' || tenant || '/' || thread || ' ' || number, row, tenant, thread FROM signal",
];

pub(super) fn dump(connection: &Connection, partition: Partition) -> Result<BTreeMap<String, String>, Error> {
    let mut dump = BTreeMap::new();
    let of_partition = format!("{partition}-");
    for sql in BY_RUN {
        for [name, row, run] in strings(connection, sql, [])? {
            if run.starts_with(&of_partition) {
                dump.insert(name, row);
            }
        }
    }
    tasks(connection, &of_partition, &mut dump)?;
    events(connection, &of_partition, &mut dump)?;
    for sql in BY_PARTITION {
        for [name, row] in strings(connection, sql, [partition.0])? {
            dump.insert(name, row);
        }
    }
    for sql in BY_THREAD {
        for [name, row, tenant, thread] in strings(connection, sql, [])? {
            let key = TenantId::parse(&tenant).ok().zip(ThreadId::parse(&thread).ok());
            let key = key.map(|(tenant, thread)| ThreadKey { tenant, thread });
            if key.is_some_and(|key| key.partition() == partition) {
                dump.insert(name, row);
            }
        }
    }
    let sql = "SELECT 'inbox ' || tenant || ' ' || interrupt, at || ' ' || job, job FROM inbox";
    for [name, row, job] in strings(connection, sql, [])? {
        if job.starts_with(&of_partition) {
            dump.insert(name, row);
        }
    }
    Ok(dump)
}

/// Tasks as they stand for those who look.
fn tasks(connection: &Connection, of_partition: &str, dump: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let sql = "SELECT run, grp, idx || '', row, info, state FROM task JOIN grp USING (run, grp)";
    for [run, group, index, row, info, state] in strings(connection, sql, [])? {
        if run.starts_with(of_partition) {
            let task: Task = decode(&row)?;
            let task = task.seen_in(&Group { info: decode(&info)?, state: decode(&state)? });
            dump.insert(format!("task {run} {group} {index}"), encode(&task)?);
        }
    }
    Ok(())
}

/// Events with their keys.
fn events(connection: &Connection, of_partition: &str, dump: &mut BTreeMap<String, String>) -> Result<(), Error> {
    for [run] in strings(connection, "SELECT DISTINCT run FROM event", [])? {
        let Some(id) = run.parse().ok().filter(|_| run.starts_with(of_partition)) else { continue };
        for event in event::after(connection, id, 0, u32::MAX)? {
            dump.insert(format!("event {run} {:010}", event.seq), encode(&event)?);
        }
    }
    Ok(())
}

fn strings<const N: usize>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<[String; N]>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(params, |row| {
        let mut columns = [const { String::new() }; N];
        for (index, column) in columns.iter_mut().enumerate() {
            *column = row.get(index)?;
        }
        Ok(columns)
    });
    rows.map_err(fault)?.collect::<Result<_, _>>().map_err(fault)
}
