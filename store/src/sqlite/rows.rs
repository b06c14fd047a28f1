//! The machine's rows as SQLite tables, inside the writer's transaction.

use std::sync::Arc;

use baton_common::commit::{NewTask, Segment};
use baton_common::ids::{GroupId, InterruptId, Partition, RunId, Seq, TenantId, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupInfo, GroupState, Interrupt, KeyRow, RunInfo,
    RunState, Signal, Task, Terms, Thread,
};
use baton_common::transition::KeyName;
use baton_common::{Digest, JobId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::event::EventRow;
use crate::Error;
use crate::machine::{Outcome, Rows};

/// The rows of one partition on one connection.
pub(super) struct SqlRows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) partition: Partition,
}

/// Maps SQLite's errors: a full disk may pass, anything else will not by itself.
pub(super) fn fault(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::Full(error.to_string()),
        Some(
            rusqlite::ErrorCode::DatabaseBusy
            | rusqlite::ErrorCode::DatabaseLocked
            | rusqlite::ErrorCode::SystemIoFailure
            | rusqlite::ErrorCode::CannotOpen,
        ) => Error::Unavailable(error.to_string()),
        _ => Error::Broken(error.to_string()),
    }
}

pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| Error::Broken(format!("a row cannot be read: {error}")))
}

pub(super) fn encode(value: &impl Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| Error::Broken(format!("a row cannot be written: {error}")))
}

/// One text of at most one row.
pub(super) fn text(connection: &Connection, sql: &str, params: impl Params) -> Outcome<Option<String>> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let found: Option<Option<String>> = statement.query_row(params, |row| row.get(0)).optional().map_err(fault)?;
    Ok(found.flatten())
}

/// One value of at most one row, kept as JSON.
pub(super) fn value<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Outcome<Option<T>> {
    text(connection, sql, params)?.map(|text| decode(&text)).transpose()
}

/// The first column of all rows.
pub(super) fn texts(connection: &Connection, sql: &str, params: impl Params) -> Outcome<Vec<String>> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(params, |row| row.get(0)).map_err(fault)?;
    rows.collect::<Result<_, _>>().map_err(fault)
}

/// The groups of a run, in order of their ids.
pub(super) fn groups(connection: &Connection, run: RunId) -> Outcome<Vec<Group>> {
    let sql = "SELECT info, state FROM grp WHERE run = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement
        .query_map([run.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .map_err(fault)?;
    let mut groups = Vec::new();
    for row in rows {
        let (info, state) = row.map_err(fault)?;
        groups.push(Group { info: decode(&info)?, state: decode(&state)? });
    }
    groups.sort_by(|left, right| left.info.id.cmp(&right.info.id));
    Ok(groups)
}

/// The tasks of a group, by index.
pub(super) fn tasks(connection: &Connection, run: RunId, group: &GroupId) -> Outcome<Vec<Task>> {
    let sql = "SELECT row FROM task WHERE run = ?1 AND grp = ?2 ORDER BY idx";
    let rows = texts(connection, sql, params![run.to_string(), group.to_string()])?;
    rows.iter().map(|row| decode(row)).collect()
}

impl SqlRows<'_> {
    /// A text kept beside a task.
    fn beside(&self, sql: &str, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<String>> {
        text(self.connection, sql, params![run.to_string(), group.to_string(), index])
    }

    /// Writes a text beside a task.
    fn put_beside(&self, sql: &str, run: RunId, group: &GroupId, index: u32, text: &str) -> Outcome<()> {
        self.write(sql, params![run.to_string(), group.to_string(), index, text])
    }

    pub(super) fn write(&self, sql: &str, params: impl Params) -> Outcome<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        statement.execute(params).map_err(fault)?;
        Ok(())
    }

    fn part(&self) -> u8 {
        self.partition.0
    }
}

impl Rows for SqlRows<'_> {
    fn thread(&mut self, key: &ThreadKey) -> Outcome<Option<Thread>> {
        let sql = "SELECT row FROM thread WHERE tenant = ?1 AND thread = ?2";
        value(self.connection, sql, params![key.tenant.as_str(), key.thread.as_str()])
    }

    fn put_thread(&mut self, thread: Thread) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO thread (tenant, thread, row) VALUES (?1, ?2, ?3)";
        self.write(sql, params![thread.key.tenant.as_str(), thread.key.thread.as_str(), encode(&thread)?])
    }

    fn checkpoint(&mut self, key: &ThreadKey, seq: Seq) -> Outcome<Option<Checkpoint>> {
        let sql = "SELECT row FROM checkpoint WHERE tenant = ?1 AND thread = ?2 AND seq = ?3";
        value(self.connection, sql, params![key.tenant.as_str(), key.thread.as_str(), number(seq.0)])
    }

    fn put_checkpoint(&mut self, key: &ThreadKey, checkpoint: &Arc<Checkpoint>) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO checkpoint (tenant, thread, seq, row) VALUES (?1, ?2, ?3, ?4)";
        let row = encode(checkpoint)?;
        self.write(sql, params![key.tenant.as_str(), key.thread.as_str(), number(checkpoint.seq.0), row])
    }

    fn put_segment(&mut self, key: &ThreadKey, segment: &Segment) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO segment (tenant, thread, channel, number, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (tenant, thread) = (key.tenant.as_str(), key.thread.as_str());
        self.write(sql, params![tenant, thread, segment.channel, number(segment.number), segment.body])
    }

    fn signal(&mut self, key: &ThreadKey, place: u64) -> Outcome<Option<Signal>> {
        let sql = "SELECT row FROM signal WHERE tenant = ?1 AND thread = ?2 AND number = ?3";
        value(self.connection, sql, params![key.tenant.as_str(), key.thread.as_str(), number(place)])
    }

    fn signal_number(&mut self, key: &ThreadKey, id: &str) -> Outcome<Option<u64>> {
        let sql = "SELECT number FROM signal WHERE tenant = ?1 AND thread = ?2 AND id = ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let found = statement.query_row(params![key.tenant.as_str(), key.thread.as_str(), id], |row| row.get(0));
        let found: Option<i64> = found.optional().map_err(fault)?;
        Ok(found.and_then(|found| u64::try_from(found).ok()))
    }

    fn put_signal(&mut self, key: &ThreadKey, signal: &Signal) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO signal (tenant, thread, number, id, row) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (tenant, thread) = (key.tenant.as_str(), key.thread.as_str());
        self.write(sql, params![tenant, thread, number(signal.number), signal.id, encode(signal)?])
    }

    fn delete_signal(&mut self, key: &ThreadKey, place: u64) -> Outcome<()> {
        let sql = "DELETE FROM signal WHERE tenant = ?1 AND thread = ?2 AND number = ?3";
        self.write(sql, params![key.tenant.as_str(), key.thread.as_str(), number(place)])
    }

    fn run_info(&mut self, run: RunId) -> Outcome<Option<Arc<RunInfo>>> {
        value(self.connection, "SELECT info FROM run WHERE run = ?1", [run.to_string()])
    }

    fn put_run_info(&mut self, info: &RunInfo) -> Outcome<()> {
        let sql = "INSERT INTO run (run, info) VALUES (?1, ?2) ON CONFLICT (run) DO UPDATE SET info = ?2";
        self.write(sql, params![info.id.to_string(), encode(info)?])
    }

    fn run_state(&mut self, run: RunId) -> Outcome<Option<RunState>> {
        value(self.connection, "SELECT state FROM run WHERE run = ?1", [run.to_string()])
    }

    fn put_run_state(&mut self, run: RunId, state: &RunState) -> Outcome<()> {
        self.write("UPDATE run SET state = ?2 WHERE run = ?1", params![run.to_string(), encode(state)?])
    }

    fn put_run_end(&mut self, run: RunId, end: &Body) -> Outcome<()> {
        self.write("UPDATE run SET ending = ?2 WHERE run = ?1", params![run.to_string(), end])
    }

    fn delete_run_end(&mut self, run: RunId) -> Outcome<()> {
        self.write("UPDATE run SET ending = NULL WHERE run = ?1", [run.to_string()])
    }

    fn delete_run(&mut self, run: RunId) -> Outcome<()> {
        for table in ["run", "grp", "task", "input", "result", "beside", "staged", "interrupt", "event"] {
            self.write(&format!("DELETE FROM {table} WHERE run = ?1"), [run.to_string()])?;
        }
        Ok(())
    }

    fn group(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<Group>> {
        let sql = "SELECT info, state FROM grp WHERE run = ?1 AND grp = ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let found = statement
            .query_row(params![run.to_string(), group.to_string()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .optional()
            .map_err(fault)?;
        found.map(|(info, state)| Ok(Group { info: decode(&info)?, state: decode(&state)? })).transpose()
    }

    fn groups(&mut self, run: RunId) -> Outcome<Vec<Group>> {
        groups(self.connection, run)
    }

    fn put_group_info(&mut self, run: RunId, info: &Arc<GroupInfo>) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO grp (run, grp, info) VALUES (?1, ?2, ?3)";
        self.write(sql, params![run.to_string(), info.id.to_string(), encode(info)?])
    }

    fn put_group_state(&mut self, run: RunId, group: &GroupId, state: &GroupState) -> Outcome<()> {
        let sql = "UPDATE grp SET state = ?3 WHERE run = ?1 AND grp = ?2";
        self.write(sql, params![run.to_string(), group.to_string(), encode(state)?])
    }

    fn delete_group(&mut self, run: RunId, group: &GroupId) -> Outcome<()> {
        for table in ["grp", "task", "input", "result", "beside"] {
            let sql = format!("DELETE FROM {table} WHERE run = ?1 AND grp = ?2");
            self.write(&sql, params![run.to_string(), group.to_string()])?;
        }
        Ok(())
    }

    fn task(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Task>> {
        let sql = "SELECT row FROM task WHERE run = ?1 AND grp = ?2 AND idx = ?3";
        value(self.connection, sql, params![run.to_string(), group.to_string(), index])
    }

    fn tasks(&mut self, run: RunId, group: &GroupId) -> Outcome<Vec<Task>> {
        tasks(self.connection, run, group)
    }

    fn put_task(&mut self, run: RunId, group: &GroupId, index: u32, task: &Task) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO task (run, grp, idx, row) VALUES (?1, ?2, ?3, ?4)";
        self.write(sql, params![run.to_string(), group.to_string(), index, encode(task)?])
    }

    fn input(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        let sql = "SELECT body FROM input WHERE run = ?1 AND grp = ?2 AND idx = ?3";
        self.beside(sql, run, group, index)
    }

    fn put_input(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO input (run, grp, idx, body) VALUES (?1, ?2, ?3, ?4)";
        self.put_beside(sql, run, group, index, body)
    }

    fn result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        let sql = "SELECT body FROM result WHERE run = ?1 AND grp = ?2 AND idx = ?3";
        self.beside(sql, run, group, index)
    }

    fn put_result(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO result (run, grp, idx, body) VALUES (?1, ?2, ?3, ?4)";
        self.put_beside(sql, run, group, index, body)
    }

    fn delete_result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        let sql = "DELETE FROM result WHERE run = ?1 AND grp = ?2 AND idx = ?3";
        self.write(sql, params![run.to_string(), group.to_string(), index])
    }

    fn continued(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        let sql = "SELECT body FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'continued'";
        self.beside(sql, run, group, index)
    }

    fn put_continued(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO beside (run, grp, idx, what, body) VALUES (?1, ?2, ?3, 'continued', ?4)";
        self.put_beside(sql, run, group, index, body)
    }

    fn terms(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Terms>> {
        let sql = "SELECT body FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'terms'";
        self.beside(sql, run, group, index)?.map(|text| decode(&text)).transpose()
    }

    fn put_terms(&mut self, run: RunId, group: &GroupId, index: u32, terms: &Terms) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO beside (run, grp, idx, what, body) VALUES (?1, ?2, ?3, 'terms', ?4)";
        self.put_beside(sql, run, group, index, &encode(terms)?)
    }

    fn first_waiting(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<u32>> {
        let sql = "SELECT idx FROM beside WHERE run = ?1 AND grp = ?2 AND what = 'waiting' ORDER BY idx LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        statement.query_row(params![run.to_string(), group.to_string()], |row| row.get(0)).optional().map_err(fault)
    }

    fn put_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO beside (run, grp, idx, what, body) VALUES (?1, ?2, ?3, 'waiting', ?4)";
        self.put_beside(sql, run, group, index, "")
    }

    fn delete_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        let sql = "DELETE FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'waiting'";
        self.write(sql, params![run.to_string(), group.to_string(), index])
    }

    fn unsettled(&mut self, run: RunId, group: &GroupId, limit: u32) -> Outcome<Vec<(u32, u32)>> {
        let sql = "SELECT idx, CAST(body AS INTEGER) FROM beside WHERE run = ?1 AND grp = ?2 AND what = 'unsettled'
                   ORDER BY idx LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let rows = statement.query_map(params![run.to_string(), group.to_string(), limit], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?))
        });
        rows.map_err(fault)?.collect::<Result<_, _>>().map_err(fault)
    }

    fn put_unsettled(&mut self, run: RunId, group: &GroupId, index: u32, from: u32) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO beside (run, grp, idx, what, body) VALUES (?1, ?2, ?3, 'unsettled', ?4)";
        self.put_beside(sql, run, group, index, &from.to_string())
    }

    fn delete_unsettled(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        let sql = "DELETE FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'unsettled'";
        self.write(sql, params![run.to_string(), group.to_string(), index])
    }

    fn put_staged(&mut self, run: RunId, op: Digest, group: &GroupId, first: u32, tasks: &[NewTask]) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO staged (run, op, grp, idx, row) VALUES (?1, ?2, ?3, ?4, ?5)";
        for (index, task) in (first..).zip(tasks) {
            self.write(sql, params![run.to_string(), op.to_string(), group.to_string(), index, encode(task)?])?;
        }
        Ok(())
    }

    fn staged_count(&mut self, run: RunId, op: Digest) -> Outcome<u32> {
        let sql = "SELECT count(*) FROM staged WHERE run = ?1 AND op = ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        statement.query_row(params![run.to_string(), op.to_string()], |row| row.get(0)).map_err(fault)
    }

    fn staged(&mut self, run: RunId, op: Digest, group: &GroupId) -> Outcome<Vec<NewTask>> {
        let sql = "SELECT row FROM staged WHERE run = ?1 AND op = ?2 AND grp = ?3 ORDER BY idx";
        let rows = texts(self.connection, sql, params![run.to_string(), op.to_string(), group.to_string()])?;
        rows.iter().map(|row| decode(row)).collect()
    }

    fn delete_staged(&mut self, run: RunId) -> Outcome<()> {
        self.write("DELETE FROM staged WHERE run = ?1", [run.to_string()])
    }

    fn interrupt(&mut self, job: &JobId) -> Outcome<Option<Interrupt>> {
        let sql = "SELECT row FROM interrupt WHERE run = ?1 AND grp = ?2 AND idx = ?3";
        value(self.connection, sql, params![job.run.to_string(), job.group.to_string(), job.index])
    }

    fn put_interrupt(&mut self, interrupt: &Interrupt) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO interrupt (run, grp, idx, row) VALUES (?1, ?2, ?3, ?4)";
        let job = &interrupt.job;
        self.write(sql, params![job.run.to_string(), job.group.to_string(), job.index, encode(interrupt)?])
    }

    fn key_row(&mut self, name: &KeyName) -> Outcome<Option<KeyRow>> {
        let sql = "SELECT row FROM key WHERE part = ?1 AND tenant = ?2 AND tool = ?3 AND cache = ?4 AND name = ?5";
        value(self.connection, sql, params![self.part(), name.tenant.as_str(), name.tool, name.cache, name.text])
    }

    fn put_key_row(&mut self, name: &KeyName, row: &KeyRow) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO key (part, tenant, tool, cache, name, until, row)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let tenant = name.tenant.as_str();
        let row = params![self.part(), tenant, name.tool, name.cache, name.text, row.until.0, encode(row)?];
        self.write(sql, row)
    }

    fn delete_key_row(&mut self, name: &KeyName) -> Outcome<()> {
        let sql = "DELETE FROM key WHERE part = ?1 AND tenant = ?2 AND tool = ?3 AND cache = ?4 AND name = ?5";
        self.write(sql, params![self.part(), name.tenant.as_str(), name.tool, name.cache, name.text])
    }

    fn keys_until(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<KeyName>> {
        let sql = "SELECT tenant, tool, name, cache FROM key WHERE part = ?1 AND until <= ?2
                   ORDER BY until, tenant, tool, name, cache LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let rows = statement.query_map(params![self.part(), at.0, limit], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        let mut names = Vec::new();
        for row in rows.map_err(fault)? {
            let (tenant, tool, text, cache) = row.map_err(fault)?;
            let tenant = TenantId::parse(&tenant).map_err(|error| Error::Broken(error.to_string()))?;
            names.push(KeyName { tenant, tool, text, cache });
        }
        Ok(names)
    }

    fn due(&mut self, key: &DueKey) -> Outcome<Option<Timestamp>> {
        let sql = "SELECT at FROM due WHERE part = ?1 AND member = ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let at = statement.query_row(params![self.part(), key.member()], |row| row.get(0)).optional();
        Ok(at.map_err(fault)?.map(Timestamp))
    }

    fn put_due(&mut self, key: &DueKey, at: Timestamp) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO due (part, member, at) VALUES (?1, ?2, ?3)";
        self.write(sql, params![self.part(), key.member(), at.0])
    }

    fn delete_due(&mut self, key: &DueKey) -> Outcome<()> {
        self.write("DELETE FROM due WHERE part = ?1 AND member = ?2", params![self.part(), key.member()])
    }

    fn due_by(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<DueKey>> {
        let sql = "SELECT member FROM due WHERE part = ?1 AND at <= ?2 ORDER BY at, member LIMIT ?3";
        let members = texts(self.connection, sql, params![self.part(), at.0, limit])?;
        let broken = |member: &String| Error::Broken(format!("a due entry cannot be read: {member}"));
        members.iter().map(|member| DueKey::parse(self.partition, member).ok_or_else(|| broken(member))).collect()
    }

    fn next_due(&mut self) -> Outcome<Option<Timestamp>> {
        let sql = "SELECT at FROM due WHERE part = ?1 ORDER BY at LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        Ok(statement.query_row([self.part()], |row| row.get(0)).optional().map_err(fault)?.map(Timestamp))
    }

    fn put_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO listed (tenant, at, run) VALUES (?1, ?2, ?3)";
        self.write(sql, params![tenant.as_str(), at.0, run.to_string()])
    }

    fn delete_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()> {
        let sql = "DELETE FROM listed WHERE tenant = ?1 AND at = ?2 AND run = ?3";
        self.write(sql, params![tenant.as_str(), at.0, run.to_string()])
    }

    fn put_inbox(&mut self, tenant: &TenantId, at: Timestamp, interrupt: InterruptId, job: &JobId) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO inbox (tenant, interrupt, at, job) VALUES (?1, ?2, ?3, ?4)";
        self.write(sql, params![tenant.as_str(), interrupt.to_string(), at.0, job.to_string()])
    }

    fn delete_inbox(&mut self, tenant: &TenantId, interrupt: InterruptId) -> Outcome<()> {
        let sql = "DELETE FROM inbox WHERE tenant = ?1 AND interrupt = ?2";
        self.write(sql, params![tenant.as_str(), interrupt.to_string()])
    }

    fn put_parked(&mut self, run: RunId, at: Timestamp, reason: &str) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO parked (run, at, reason) VALUES (?1, ?2, ?3)";
        self.write(sql, params![run.to_string(), at.0, reason])
    }

    fn delete_parked(&mut self, run: RunId) -> Outcome<()> {
        self.write("DELETE FROM parked WHERE run = ?1", [run.to_string()])
    }

    fn append_event(&mut self, event: Event) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO event (run, seq, row) VALUES (?1, ?2, ?3)";
        self.write(sql, params![event.run.to_string(), number(event.seq), encode(&EventRow::of(&event))?])
    }

    fn audit_head(&mut self) -> Outcome<Option<AuditHead>> {
        value(self.connection, AUDIT_HEAD, [audit_head(self.partition)])
    }

    fn append_audit(&mut self, audit: &Audit, head: &AuditHead) -> Outcome<()> {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.write(sql, params![audit_head(self.partition), encode(head)?])?;
        let sql = "INSERT INTO audit (part, number, row)
                   VALUES (?1, (SELECT coalesce(max(number), -1) + 1 FROM audit WHERE part = ?1), ?2)";
        self.write(sql, params![self.part(), encode(audit)?])
    }
}

/// Reads where a partition's audit log ends.
pub(super) const AUDIT_HEAD: &str = "SELECT value FROM meta WHERE name = ?1";

/// The name of what says where a partition's audit log ends.
pub(super) fn audit_head(partition: Partition) -> String {
    format!("audit {partition}")
}

/// SQLite's integers are signed; ours stay far below the difference.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
