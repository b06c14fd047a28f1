//! Reading a Redis store with plain commands. The compare-and-set of ADVANCE protects
//! against what changes between two of them, but for what a server takes back that lost the end
//! of its log: what a step is computed from is read as it stood at one moment.

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::ids::{GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupPhase, Interrupt, Lasting, Run, Signal, Span, Task,
    Thread,
};
use baton_common::transition::{ClosedGroup, Due};
use baton_common::{JobId, Partition, TenantId, Timestamp};
use redis::{Pipeline, cmd};

use super::link::Links;
use super::pack::{Fields, broken};
use super::run_row::{self, RunRow};
use super::{RedisStore, events, history, info, keys, lineage, listing, replies, rows, waits};
use crate::{AuditPage, Error, Loaded, OpenWait, Reader, RunDetail, RunFilter, Show, TaskBodies};

/// Times a run is read anew because it moved on meanwhile.
const LOADS_MAX: u32 = 16;

#[async_trait]
impl Reader for RedisStore {
    async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        let command = cmd("HMGET").arg(keys::run(run)).arg(&WHOLE_RUN).take();
        whole_run(run, self.shared.links.command(run.partition, &command).await?)
    }

    async fn load(&self, run: RunId) -> Result<Option<Loaded>, Error> {
        let links = &self.shared.links;
        for _ in 0..LOADS_MAX {
            let Some(row) = RunRow::read(links, run).await? else { return Ok(None) };
            let (whole, _) = row.run()?;
            let groups = row.groups()?.into_iter().filter(|(group, _)| !group.info.detached);
            let (closed, open): (Vec<_>, Vec<_>) =
                groups.partition(|(group, _)| group.state.phase == GroupPhase::Closed);
            let key = &whole.info.thread;
            let mut pipeline = Pipeline::new();
            pipeline.cmd("HGETALL").arg(keys::thread(key));
            pipeline.cmd("TIME").cmd("GET").arg(keys::clock(run.partition));
            type Read = (Vec<(String, Vec<u8>)>, (i64, i64), Option<i64>);
            let (fields, (seconds, micros), last): Read = links.pipeline(run.partition, &pipeline).await?;
            let now = Timestamp((seconds * 1_000 + micros / 1_000).max(last.unwrap_or(0)));
            let Some(thread) = thread(key, fields)? else { return Ok(None) };
            let Some(outcomes) = run_row::outcomes(links, &row, &closed).await? else { continue };
            let closed = closed.into_iter().zip(outcomes).map(|((group, _), outcomes)| ClosedGroup {
                info: group.info,
                state: group.state,
                outcomes: Some(outcomes),
            });
            let open = open.into_iter().map(|(group, _)| group.info.id.clone()).collect();
            return Ok(Some(Loaded { run: whole, thread, closed: closed.collect(), open, now }));
        }
        Err(Error::Unavailable("the run moves on whenever it is read".to_owned()))
    }

    async fn detail(&self, run: RunId) -> Result<Option<RunDetail>, Error> {
        outline(&self.shared.links, run, u32::MAX).await
    }

    async fn group(&self, run: RunId, group: &GroupId) -> Result<Option<(Group, Vec<Task>)>, Error> {
        let links = &self.shared.links;
        let Some(row) = RunRow::read(links, run).await? else { return Ok(None) };
        let Some((found, group_row)) = row.group(group)? else { return Ok(None) };
        let tasks = row.tasks(links, &found, &group_row).await?;
        let tasks = tasks.into_iter().map(|(_, task)| task.seen_in(&found)).collect();
        Ok(Some((found, tasks)))
    }

    async fn thread(&self, key: &ThreadKey) -> Result<Option<Thread>, Error> {
        let command = cmd("HGETALL").arg(keys::thread(key)).take();
        thread(key, self.shared.links.command(key.partition(), &command).await?)
    }

    async fn checkpoint(&self, key: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, Error> {
        lineage::checkpoint(&self.shared.links, key, seq).await
    }

    async fn segments(&self, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
        lineage::segments(&self.shared.links, key, channel, span).await
    }

    async fn bodies(&self, job: &JobId) -> Result<TaskBodies, Error> {
        let JobId { run, group, index, .. } = job;
        let mut pipeline = Pipeline::new();
        let field = |letter: &str| format!("{letter}{group}/{index}");
        pipeline.cmd("HEXISTS").arg(keys::run(*run)).arg(format!("g{group}"));
        pipeline.cmd("HMGET").arg(keys::bodies(*run)).arg(&[field("i"), field("r"), field("k"), field("?")]);
        for what in ["wi", "wr", "wk"] {
            pipeline.cmd("HGET").arg(keys::wide(what, *run, group)).arg(index);
        }
        type Text = Option<Vec<u8>>;
        let (open, [input, result, continued, question], wide_input, wide_result, wide_continued): (
            bool,
            [Text; 4],
            Text,
            Text,
            Text,
        ) = self.shared.links.pipeline(run.partition, &pipeline).await?;
        if !open {
            return Ok(TaskBodies::default());
        }
        // What is asked stands for the input of an ask.
        Ok(TaskBodies {
            input: input.or(wide_input).or(question).map(rows::question).transpose()?,
            result: result.or(wide_result).map(rows::body).transpose()?,
            continued: continued.or(wide_continued).map(rows::body).transpose()?,
        })
    }

    async fn signals(&self, key: &ThreadKey) -> Result<Vec<Signal>, Error> {
        signals(&self.shared.links, key).await
    }

    async fn waits(&self, run: RunId) -> Result<Vec<OpenWait>, Error> {
        waits::open(&self.shared.links, run).await
    }

    async fn runs(&self, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<Run>, Error> {
        listing::runs(&self.shared.links, tenant, filter).await
    }

    async fn inbox(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Interrupt>, Error> {
        listing::inbox(&self.shared.links, tenant, limit).await
    }

    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
        events::events(&self.shared.links, run, after, limit).await
    }

    async fn audit(&self, partition: Partition, limit: u32) -> Result<Vec<Audit>, Error> {
        events::audit(&self.shared.links, partition, Some(limit)).await
    }

    async fn audit_page(
        &self,
        partition: Partition,
        after: Option<&str>,
        limit: u32,
        newest_first: bool,
    ) -> Result<AuditPage, Error> {
        events::audit_page(&self.shared.links, partition, after, limit, newest_first).await
    }

    async fn audit_head(&self, partition: Partition) -> Result<Option<AuditHead>, Error> {
        events::audit_head(&self.shared.links, partition).await
    }

    async fn outline(&self, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
        outline(&self.shared.links, run, tasks_max).await
    }

    async fn due_at(&self, partition: Partition, keys: &[DueKey]) -> Result<Vec<Option<Timestamp>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("ZMSCORE");
        command.arg(keys::due(partition)).arg(keys.iter().map(DueKey::member).collect::<Vec<_>>());
        let scores: Vec<Option<f64>> = self.shared.links.command(partition, &command).await?;
        #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
        Ok(scores.into_iter().map(|at| at.map(|at| Timestamp(at as i64))).collect())
    }

    async fn parked(&self, run: RunId) -> Result<Option<(Timestamp, String)>, Error> {
        let command = cmd("HGET").arg(keys::parked(run.partition)).arg(run.uuid.simple().to_string()).take();
        let row: Option<Vec<u8>> = self.shared.links.command(run.partition, &command).await?;
        let Some(row) = row else { return Ok(None) };
        let mut fields = Fields::of(&row)?;
        Ok(Some((fields.moment()?, fields.text()?)))
    }

    async fn due(&self, partition: Partition) -> Result<Vec<(Timestamp, Due)>, Error> {
        let command = cmd("ZRANGE").arg(keys::due(partition)).arg(0).arg(-1).arg("WITHSCORES").take();
        let members: Vec<(String, f64)> = self.shared.links.command(partition, &command).await?;
        members.into_iter().map(|(member, at)| due(partition, &member, at)).collect()
    }

    async fn scan(&self, show: Show) -> Result<(), Error> {
        super::scan::scan(&self.shared.links, &show).await
    }

    async fn now(&self) -> Result<Timestamp, Error> {
        self.server_clock().await
    }
}

/// A run, without the tasks of groups of more than so many.
async fn outline(links: &Links, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
    let Some(row) = RunRow::read(links, run).await? else { return Ok(None) };
    let mut groups = Vec::new();
    for (group, group_row) in row.groups()? {
        let mut tasks = Vec::new();
        if group.info.count <= tasks_max {
            let read = row.tasks(links, &group, &group_row).await?;
            tasks.extend(read.into_iter().map(|(_, task)| task.seen_in(&group)));
        }
        groups.push((group, tasks));
    }
    let (run, _) = row.run()?;
    Ok(Some(RunDetail { run, groups, interrupts: row.questions(links).await? }))
}

/// The signals a thread keeps, in order.
pub(super) async fn signals(links: &Links, key: &ThreadKey) -> Result<Vec<Signal>, Error> {
    let command = cmd("HGETALL").arg(keys::signals(key)).take();
    let fields: Vec<(String, Vec<u8>)> = links.command(key.partition(), &command).await?;
    let mut signals = Vec::new();
    for (name, row) in fields {
        if let Some(number) = name.strip_prefix('s') {
            let number = number.parse().map_err(|_| broken("a signal's number"))?;
            signals.push(rows::signal(number, &row)?);
        }
    }
    signals.sort_by_key(|signal| signal.number);
    Ok(signals)
}

fn due(partition: Partition, member: &str, at: f64) -> Result<(Timestamp, Due), Error> {
    let key = DueKey::parse(partition, member).ok_or_else(|| broken("a due entry"))?;
    #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
    let at = Timestamp(at as i64);
    Ok((at, Due { key, attempts: 0 }))
}

/// The fields of a run's row that its record is made of.
pub(super) const WHOLE_RUN: [&str; 4] = ["i", "f", "s", "e"];

/// A run from these fields.
pub(super) fn whole_run(run: RunId, fields: [Option<Vec<u8>>; 4]) -> Result<Option<Run>, Error> {
    let [Some(text), Some(fixed), Some(state), end] = fields else { return Ok(None) };
    let end = end.map(rows::body).transpose()?;
    Ok(Some(Run { info: info::info(run, &text, &fixed)?, state: rows::state_row(&state)?.state, end }))
}

/// A thread from the fields of its row.
pub(super) fn thread(key: &ThreadKey, fields: Vec<(String, Vec<u8>)>) -> Result<Option<Thread>, Error> {
    if fields.is_empty() {
        return Ok(None);
    }
    let mut thread = Thread::new(key.clone());
    let mut channels = BTreeMap::new();
    for (name, value) in fields {
        match name.as_str() {
            "o" => thread.origin = Some(Box::new(history::origin(&value)?)),
            "b" => thread.set_back = Some(Box::new(history::set_back(&value)?)),
            _ => {}
        }
        if name == "o" || name == "b" {
            continue;
        }
        let text = rows::body(value)?;
        let number = || text.parse().map(Seq).map_err(|_| broken("a checkpoint's number"));
        match (name.as_str(), name.strip_prefix('c')) {
            ("h", _) => thread.head = number()?,
            ("a", _) if text.is_empty() => {}
            ("a", _) => thread.active = Some(replies::run_of(key.partition(), &text)?),
            ("w", _) => thread.awaiting = queue(key.partition(), &text)?,
            ("m", _) => thread.used = number()?,
            ("l", _) => thread.pruned = number()?,
            ("e", _) => thread.until = Some(Timestamp(text.parse().map_err(|_| broken("a moment"))?)),
            ("k", _) if text.is_empty() => thread.lasting = Some(Lasting::Beyond),
            ("k", _) => thread.lasting = Some(Lasting::WithRun(replies::run_of(key.partition(), &text)?)),
            ("n", _) => thread.signals = number()?.0,
            ("u", _) => thread.untaken = u32::try_from(number()?.0).map_err(|_| broken("a count"))?,
            ("q", _) => thread.queue = queue(key.partition(), &text)?,
            (_, Some(channel)) => drop(channels.insert(channel.into(), number()?)),
            _ => return Err(broken("an unknown field of a thread")),
        }
    }
    thread.channels = channels;
    Ok(Some(thread))
}

/// Waiting runs: their uuids one behind another.
fn queue(partition: Partition, text: &str) -> Result<Vec<RunId>, Error> {
    let places = (0..text.len()).step_by(32);
    places.map(|at| replies::run_of(partition, text.get(at..at + 32).ok_or_else(|| broken("a queue"))?)).collect()
}
