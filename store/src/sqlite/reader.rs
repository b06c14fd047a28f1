//! Reading a SQLite store, on a connection of its own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::ids::{GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupPhase, Interrupt, Run, Signal, Span, Task, TaskKind,
    TaskState, Terms, Thread,
};
use baton_common::transition::{ClosedGroup, Due};
use baton_common::{JobId, Partition, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::rows::{decode, fault, groups as all_groups, number, tasks, text, texts, value};
use super::{event, looks};
use crate::{AuditPage, Error, Loaded, OpenWait, Reader, RunDetail, RunFilter, Show, TaskBodies};

#[async_trait]
impl Reader for SqliteStore {
    async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        self.read(move |connection| whole_run(connection, run)).await
    }

    async fn load(&self, run: RunId) -> Result<Option<Loaded>, Error> {
        self.read(move |connection| consistent(connection, |connection| load(connection, run))).await
    }

    async fn detail(&self, run: RunId) -> Result<Option<RunDetail>, Error> {
        self.read(move |connection| consistent(connection, |connection| detail(connection, run))).await
    }

    async fn group(&self, run: RunId, group: &GroupId) -> Result<Option<(Group, Vec<Task>)>, Error> {
        let id = group.clone();
        self.read(move |connection| {
            let Some(group) = groups(connection, run)?.into_iter().find(|group| group.info.id == id) else {
                return Ok(None);
            };
            let tasks = seen(connection, run, &group)?;
            Ok(Some((group, tasks)))
        })
        .await
    }

    async fn bodies(&self, job: &JobId) -> Result<TaskBodies, Error> {
        let (run, group, index) = (job.run.to_string(), job.group.to_string(), job.index);
        self.read(move |connection| {
            let one = |sql: &str| text(connection, sql, params![run, group, index]);
            Ok(TaskBodies {
                input: one("SELECT body FROM input WHERE run = ?1 AND grp = ?2 AND idx = ?3")?,
                result: one("SELECT body FROM result WHERE run = ?1 AND grp = ?2 AND idx = ?3")?,
                continued: one(
                    "SELECT body FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'continued'",
                )?,
            })
        })
        .await
    }

    async fn thread(&self, key: &ThreadKey) -> Result<Option<Thread>, Error> {
        let key = key.clone();
        self.read(move |connection| thread(connection, &key)).await
    }

    async fn checkpoint(&self, key: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, Error> {
        let key = key.clone();
        let sql = "SELECT row FROM checkpoint WHERE tenant = ?1 AND thread = ?2 AND seq = ?3";
        self.read(move |connection| {
            let mut of = Some(key);
            while let Some(key) = of {
                let found = value(connection, sql, (key.tenant.as_str(), key.thread.as_str(), number(seq.0)))?;
                if found.is_some() {
                    return Ok(found);
                }
                of = origin(connection, &key, seq)?;
            }
            Ok(None)
        })
        .await
    }

    async fn segments(&self, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
        let (key, channel) = (key.clone(), channel.to_owned());
        self.read(move |connection| pieces(connection, key, &channel, span)).await
    }

    async fn signals(&self, key: &ThreadKey) -> Result<Vec<Signal>, Error> {
        let (tenant, thread) = (key.tenant.to_string(), key.thread.to_string());
        let sql = "SELECT row FROM signal WHERE tenant = ?1 AND thread = ?2 ORDER BY number";
        self.read(move |connection| {
            let rows = texts(connection, sql, params![tenant, thread])?;
            rows.iter().map(|row| decode(row)).collect()
        })
        .await
    }

    async fn waits(&self, run: RunId) -> Result<Vec<OpenWait>, Error> {
        self.read(move |connection| consistent(connection, |connection| waits(connection, run))).await
    }

    async fn runs(&self, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<Run>, Error> {
        let (tenant, filter) = (tenant.to_string(), filter.clone());
        self.read(move |connection| runs(connection, &tenant, &filter)).await
    }

    async fn inbox(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Interrupt>, Error> {
        let tenant = tenant.to_string();
        self.read(move |connection| {
            let sql = "SELECT job FROM inbox WHERE tenant = ?1 ORDER BY at, interrupt LIMIT ?2";
            let mut open = Vec::new();
            for job in texts(connection, sql, params![tenant, limit])? {
                let job: JobId =
                    job.parse().map_err(|error: baton_common::ids::Error| Error::Broken(error.to_string()))?;
                let sql = "SELECT row FROM interrupt WHERE run = ?1 AND grp = ?2 AND idx = ?3";
                open.extend(value(connection, sql, params![job.run.to_string(), job.group.to_string(), job.index])?);
            }
            Ok(open)
        })
        .await
    }

    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
        self.read(move |connection| event::after(connection, run, after, limit)).await
    }

    async fn audit(&self, partition: Partition, limit: u32) -> Result<Vec<Audit>, Error> {
        let sql = "SELECT row FROM audit WHERE part = ?1 ORDER BY number LIMIT ?2";
        self.read(move |connection| {
            let rows = texts(connection, sql, params![partition.0, limit])?;
            rows.iter().map(|row| decode(row)).collect()
        })
        .await
    }

    async fn audit_page(
        &self,
        partition: Partition,
        after: Option<&str>,
        limit: u32,
        newest_first: bool,
    ) -> Result<AuditPage, Error> {
        let after = after.and_then(|after| after.parse().ok());
        self.read(move |connection| looks::audit_page(connection, partition, after, limit, newest_first)).await
    }

    async fn audit_head(&self, partition: Partition) -> Result<Option<AuditHead>, Error> {
        self.read(move |connection| looks::audit_head(connection, partition)).await
    }

    async fn outline(&self, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
        self.read(move |connection| consistent(connection, |connection| looks::outline(connection, run, tasks_max)))
            .await
    }

    async fn due_at(&self, partition: Partition, keys: &[DueKey]) -> Result<Vec<Option<Timestamp>>, Error> {
        let keys = keys.to_vec();
        self.read(move |connection| looks::due_at(connection, partition, &keys)).await
    }

    async fn parked(&self, run: RunId) -> Result<Option<(Timestamp, String)>, Error> {
        self.read(move |connection| looks::parked(connection, run)).await
    }

    async fn due(&self, partition: Partition) -> Result<Vec<(Timestamp, Due)>, Error> {
        self.read(move |connection| {
            let sql = "SELECT member, at FROM due WHERE part = ?1 ORDER BY at, member";
            let mut statement = connection.prepare_cached(sql).map_err(fault)?;
            let rows = statement.query_map([partition.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
            let mut entries = Vec::new();
            for row in rows.map_err(fault)? {
                let (member, at) = row.map_err(fault)?;
                if let Some(key) = DueKey::parse(partition, &member) {
                    entries.push((Timestamp(at), Due { key, attempts: 0 }));
                }
            }
            Ok(entries)
        })
        .await
    }

    async fn scan(&self, show: Show) -> Result<(), Error> {
        let file = self.shared.file.clone();
        let scanned = tokio::task::spawn_blocking(move || super::scan::scan(&file, &show)).await;
        scanned.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    async fn now(&self) -> Result<Timestamp, Error> {
        Ok(super::worker::clock())
    }
}

/// Reads at one moment.
fn consistent<T>(connection: &Connection, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
    let transaction = connection.unchecked_transaction().map_err(fault)?;
    read(&transaction)
}

/// When the first entry of each partition is due.
pub(super) fn nearest_due(connection: &Connection) -> Result<BTreeMap<Partition, Timestamp>, Error> {
    let mut statement = connection.prepare_cached("SELECT part, min(at) FROM due GROUP BY part").map_err(fault)?;
    let rows = statement.query_map([], |row| Ok((Partition(row.get(0)?), Timestamp(row.get(1)?)))).map_err(fault)?;
    rows.collect::<Result<_, _>>().map_err(fault)
}

/// The groups of a run that are there for whoever looks, in order of their ids.
fn groups(connection: &Connection, run: RunId) -> Result<Vec<Group>, Error> {
    let mut groups = all_groups(connection, run)?;
    groups.retain(Group::is_there);
    Ok(groups)
}

fn whole_run(connection: &Connection, run: RunId) -> Result<Option<Run>, Error> {
    let run = run.to_string();
    let Some(info) = value(connection, "SELECT info FROM run WHERE run = ?1", [&run])? else { return Ok(None) };
    let Some(state) = value(connection, "SELECT state FROM run WHERE run = ?1", [&run])? else { return Ok(None) };
    let end = text(connection, "SELECT ending FROM run WHERE run = ?1", [&run])?;
    Ok(Some(Run { info, state, end }))
}

fn thread(connection: &Connection, key: &ThreadKey) -> Result<Option<Thread>, Error> {
    let sql = "SELECT row FROM thread WHERE tenant = ?1 AND thread = ?2";
    value(connection, sql, params![key.tenant.as_str(), key.thread.as_str()])
}

/// The thread that a thread shares the state of that seq with.
fn origin(connection: &Connection, key: &ThreadKey, seq: Seq) -> Result<Option<ThreadKey>, Error> {
    let origin = thread(connection, key)?.and_then(|thread| thread.origin);
    Ok(origin.filter(|origin| seq <= origin.seq).map(|origin| origin.thread))
}

/// Pieces of a channel, those a thread shares with the ones it was forked from among them.
fn pieces(connection: &Connection, key: ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
    let sql = "SELECT number, body FROM segment WHERE tenant = ?1 AND thread = ?2 AND channel = ?3
               AND number >= ?4 AND number < ?5";
    let wanted = usize::try_from(span.end.saturating_sub(span.base)).unwrap_or(usize::MAX);
    let mut pieces: BTreeMap<i64, Body> = BTreeMap::new();
    let mut of = Some(key);
    while let Some(key) = of.filter(|_| pieces.len() < wanted) {
        let place = params![key.tenant.as_str(), key.thread.as_str(), channel, number(span.base), number(span.end)];
        let mut statement = connection.prepare_cached(sql).map_err(fault)?;
        let rows = statement.query_map(place, |row| Ok((row.get(0)?, row.get(1)?))).map_err(fault)?;
        for row in rows {
            let (number, body) = row.map_err(fault)?;
            pieces.entry(number).or_insert(body);
        }
        of = origin(connection, &key, Seq(0))?;
    }
    Ok(pieces.into_values().collect())
}

/// The tasks of a group as they stand for those who look.
fn seen(connection: &Connection, run: RunId, group: &Group) -> Result<Vec<Task>, Error> {
    Ok(tasks(connection, run, &group.info.id)?.into_iter().map(|task| task.seen_in(group)).collect())
}

fn waits(connection: &Connection, run: RunId) -> Result<Vec<OpenWait>, Error> {
    let Some(whole) = whole_run(connection, run)? else { return Ok(Vec::new()) };
    let mut waits = Vec::new();
    for group in groups(connection, run)?.into_iter().filter(|group| group.info.kind == TaskKind::Wait) {
        for (index, task) in (0_u32..).zip(seen(connection, run, &group)?) {
            if task.state != TaskState::Parked {
                continue;
            }
            let place = params![run.to_string(), group.info.id.to_string(), index];
            let sql = "SELECT body FROM beside WHERE run = ?1 AND grp = ?2 AND idx = ?3 AND what = 'terms'";
            let terms: Option<Terms> = value(connection, sql, place)?;
            let sql = "SELECT body FROM input WHERE run = ?1 AND grp = ?2 AND idx = ?3";
            let body = text(connection, sql, place)?;
            if let (Some(signal), Some(body)) = (terms.and_then(|terms| terms.signal), body) {
                let job = JobId { run, r#gen: whole.state.r#gen, group: group.info.id.clone(), index };
                waits.push(OpenWait { job, group: group.info.clone(), signal, body });
            }
        }
    }
    Ok(waits)
}

fn results(connection: &Connection, run: RunId, group: &Group) -> Result<Vec<Option<Body>>, Error> {
    let count = usize::try_from(group.info.count).unwrap_or(0);
    let mut outcomes = vec![None; count];
    let sql = "SELECT idx, body FROM result WHERE run = ?1 AND grp = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(params![run.to_string(), group.info.id.to_string()], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
    });
    for row in rows.map_err(fault)? {
        let (index, body) = row.map_err(fault)?;
        if let Some(outcome) = usize::try_from(index).ok().and_then(|index| outcomes.get_mut(index)) {
            *outcome = Some(body);
        }
    }
    Ok(outcomes)
}

fn load(connection: &Connection, run: RunId) -> Result<Option<Loaded>, Error> {
    let Some(whole) = whole_run(connection, run)? else { return Ok(None) };
    let Some(thread) = thread(connection, &whole.info.thread)? else { return Ok(None) };
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    for group in groups(connection, run)?.into_iter().filter(|group| !group.info.detached) {
        if group.state.phase != GroupPhase::Closed {
            open.push(group.info.id.clone());
            continue;
        }
        let outcomes = Some(results(connection, run, &group)?);
        closed.push(ClosedGroup { info: group.info, state: group.state, outcomes });
    }
    Ok(Some(Loaded { run: whole, thread, closed, open, now: super::worker::clock() }))
}

fn detail(connection: &Connection, run: RunId) -> Result<Option<RunDetail>, Error> {
    run_in_outline(connection, run, u32::MAX)
}

/// A run, without the tasks of groups of more than so many.
pub(super) fn run_in_outline(connection: &Connection, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
    let Some(whole) = whole_run(connection, run)? else { return Ok(None) };
    let mut all = Vec::new();
    for group in groups(connection, run)? {
        let shown = group.info.count <= tasks_max;
        let tasks = if shown { seen(connection, run, &group)? } else { Vec::new() };
        all.push((group, tasks));
    }
    let sql = "SELECT row FROM interrupt WHERE run = ?1 ORDER BY grp, idx";
    let interrupts = texts(connection, sql, [run.to_string()])?;
    let interrupts = interrupts.iter().map(|row| decode(row)).collect::<Result<_, _>>()?;
    Ok(Some(RunDetail { run: whole, groups: all, interrupts }))
}

fn runs(connection: &Connection, tenant: &str, filter: &RunFilter) -> Result<Vec<Run>, Error> {
    let (at, before) = match filter.before {
        Some((at, run)) => (at.0, run.to_string()),
        None => (i64::MAX, String::new()),
    };
    let sql = "SELECT run FROM listed WHERE tenant = ?1 AND (at, run) < (?2, ?3) ORDER BY at DESC, run DESC";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(params![tenant, at, before], |row| row.get::<_, String>(0)).map_err(fault)?;
    let mut found = Vec::new();
    for row in rows {
        let id: RunId = match row.map_err(fault)?.parse() {
            Ok(id) => id,
            Err(error) => return Err(Error::Broken(format!("a listed run cannot be read: {error}"))),
        };
        let Some(run) = whole_run(connection, id)? else { continue };
        let status = filter.status.is_none_or(|status| run.state.status == status);
        let thread = filter.thread.as_ref().is_none_or(|thread| run.info.thread == *thread);
        if status && thread {
            found.push(run);
        }
        if found.len() >= usize::try_from(filter.limit).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(found)
}
