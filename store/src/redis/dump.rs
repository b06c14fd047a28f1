//! Every row of a partition as text, in the form of the memory adapter's dump.

use std::collections::BTreeMap;

use baton_common::ids::{RunId, Seq, TenantId, ThreadId, ThreadKey};
use baton_common::records::{Event, KeyRow, KeyState, Task, TaskKind};
use baton_common::{JobId, Partition};
use redis::cmd;

use super::link::Links;
use super::pack::{Fields, broken};
use super::replies::run_of;
use super::rows::{self, body, kind_code, to_json};
use super::run_row::RunRow;
use super::{checkpoints, events, keys, reader, schedules};
use crate::Error;

type Dump = BTreeMap<String, String>;
type Pairs = Vec<(String, Vec<u8>)>;

struct Dumper<'a> {
    links: &'a Links,
    partition: Partition,
    rows: Dump,
}

pub(super) async fn dump(links: &Links, partition: Partition) -> Result<Dump, Error> {
    let mut dumper = Dumper { links, partition, rows: Dump::new() };
    let tag = keys::tag(partition);
    for key in keys_of(links, partition).await? {
        let name = key.strip_prefix(&tag).unwrap_or_default();
        match name.split_once(':') {
            Some(("t", thread)) => dumper.thread(&key, thread).await?,
            Some(("x", thread)) => dumper.data(&key, thread).await?,
            Some(("r", uuid)) => dumper.run(run_of(partition, uuid)?).await?,
            Some(("st", rest)) => dumper.staged(&key, rest).await?,
            Some(("l", tenant)) => dumper.listed(&key, tenant).await?,
            Some(("n", tenant)) => dumper.inbox(&key, tenant).await?,
            Some(("i", thread)) => {
                for (holder, seq) in dumper.scores(&keys::held(&thread_key(thread)?)).await? {
                    dumper.row(format!("held {thread} {holder}"), seq.to_string());
                }
            }
            Some(("y", thread)) => dumper.signals(&thread_key(thread)?).await?,
            // What belongs to a run or to staged tasks is read with them.
            Some((name, _)) if name == "b" || name.starts_with(['w', 's']) => {}
            Some(_) => return Err(broken("an unknown key")),
            None => dumper.index(&key, name).await?,
        }
    }
    Ok(dumper.rows)
}

async fn keys_of(links: &Links, partition: Partition) -> Result<Vec<String>, Error> {
    let (mut cursor, mut found) = (0_u64, Vec::new());
    loop {
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(keys::tag(partition) + "*").arg("COUNT").arg(1_000);
        let (next, page): (u64, Vec<String>) = links.command(partition, &command).await?;
        found.extend(page);
        if next == 0 {
            found.sort();
            found.dedup();
            return Ok(found);
        }
        cursor = next;
    }
}

fn thread_key(text: &str) -> Result<ThreadKey, Error> {
    let (tenant, thread) = text.split_once('/').ok_or_else(|| broken("a thread's key"))?;
    let tenant = TenantId::parse(tenant).map_err(|_| broken("a tenant"))?;
    Ok(ThreadKey { tenant, thread: ThreadId::parse(thread).map_err(|_| broken("a thread's name"))? })
}

impl Dumper<'_> {
    fn row(&mut self, name: String, value: String) {
        self.rows.insert(name, value);
    }

    async fn hash(&self, key: &str) -> Result<Pairs, Error> {
        self.links.command(self.partition, cmd("HGETALL").arg(key)).await
    }

    async fn scores(&self, key: &str) -> Result<Vec<(String, i64)>, Error> {
        let command = cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES").take();
        let members: Vec<(String, f64)> = self.links.command(self.partition, &command).await?;
        #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
        Ok(members.into_iter().map(|(member, at)| (member, at as i64)).collect())
    }

    async fn thread(&mut self, key: &str, name: &str) -> Result<(), Error> {
        if let Some(thread) = reader::thread(&thread_key(name)?, self.hash(key).await?)? {
            self.row(format!("thread {name}"), to_json(&thread)?);
        }
        Ok(())
    }

    async fn data(&mut self, key: &str, name: &str) -> Result<(), Error> {
        let fields: BTreeMap<String, Vec<u8>> = self.hash(key).await?.into_iter().collect();
        for (field, text) in &fields {
            match (field.strip_prefix('c'), field.strip_prefix('s')) {
                (Some(number), _) => {
                    let seq = Seq(number.parse().map_err(|_| broken("a checkpoint's number"))?);
                    let other = checkpoints::compared_with(seq, text).and_then(|seq| fields.get(&format!("c{seq}")));
                    let checkpoint = checkpoints::checkpoint(text, other.map(Vec::as_slice))?;
                    self.row(format!("checkpoint {name} {seq}"), to_json(&checkpoint)?);
                }
                (_, Some(piece)) => self.row(format!("segment {name} {piece}"), body(text.clone())?),
                _ => return Err(broken("an unknown field of a thread's data")),
            }
        }
        Ok(())
    }

    async fn run(&mut self, id: RunId) -> Result<(), Error> {
        let Some(row) = RunRow::read(self.links, id).await? else { return Err(broken("a run without a state")) };
        let (run, _) = row.run()?;
        self.row(format!("run {id} info"), to_json(&run.info)?);
        self.row(format!("run {id} state"), to_json(&run.state)?);
        if let Some(end) = run.end {
            self.row(format!("run {id} end"), end);
        }
        let bodies: BTreeMap<String, Vec<u8>> = self.hash(&keys::bodies(id)).await?.into_iter().collect();
        for (name, text) in &bodies {
            let (letter, place) = name.split_at(1);
            match letter {
                "i" => self.placed("input", id, place, text)?,
                "r" => self.placed("result", id, place, text)?,
                "k" => self.placed("continued", id, place, text)?,
                _ => {}
            }
        }
        for interrupt in row.questions(self.links).await? {
            let JobId { group, index, .. } = &interrupt.job;
            self.row(format!("interrupt {id} {group} {index}"), to_json(&interrupt)?);
        }
        for (group, group_row) in row.all_groups()? {
            let name = &group.info.id;
            self.row(format!("group {id} {name} info"), to_json(&group.info)?);
            self.row(format!("group {id} {name} state"), to_json(&group.state)?);
            let tasks: Vec<(u32, Task)> = row.tasks(self.links, &group, &group_row).await?;
            for (index, task) in tasks {
                self.row(format!("task {id} {name} {index}"), to_json(&task.seen_in(&group))?);
                // What is asked stands for the input of an ask.
                if let Some(question) =
                    bodies.get(&format!("?{name}/{index}")).filter(|_| group_row.kind == kind_code(TaskKind::Ask))
                {
                    self.row(format!("input {id} {name} {index}"), rows::question(question.clone())?);
                }
            }
            if group_row.wide {
                for (what, label) in [("wi", "input"), ("wr", "result"), ("wk", "continued")] {
                    for (index, text) in self.hash(&keys::wide(what, id, name)).await? {
                        self.row(format!("{label} {id} {name} {index}"), body(text)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// A body whose field ends with `group/index`.
    fn placed(&mut self, label: &str, run: RunId, place: &str, text: &[u8]) -> Result<(), Error> {
        let (group, index) = place.rsplit_once('/').ok_or_else(|| broken("a body's place"))?;
        self.row(format!("{label} {run} {group} {index}"), rows::question(text.to_vec())?);
        Ok(())
    }

    /// Staged tasks: `uuid:op:group`.
    async fn staged(&mut self, key: &str, rest: &str) -> Result<(), Error> {
        let mut parts = rest.splitn(3, ':');
        let (Some(uuid), Some(op), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(broken("a staged key"));
        };
        let run = run_of(self.partition, uuid)?;
        let tasks: BTreeMap<String, Vec<u8>> = self.hash(key).await?.into_iter().collect();
        let bodies = self.hash(&key.replacen("st:", "si:", 1)).await?;
        let terms: BTreeMap<String, Vec<u8>> = self.hash(&key.replacen("st:", "sh:", 1)).await?.into_iter().collect();
        let needs: BTreeMap<String, Vec<u8>> = self.hash(&key.replacen("st:", "su:", 1)).await?.into_iter().collect();
        for (index, text) in bodies {
            let row = tasks.get(&index).ok_or_else(|| broken("a staged task"))?;
            let mut fields = Fields::of(row)?;
            let (_, _) = (fields.number()?, fields.number()?);
            let digest = baton_common::Digest(fields.exactly()?);
            let mut task = baton_common::commit::NewTask::new(digest, body(text)?);
            if let Some(row) = terms.get(&index) {
                let terms = rows::terms(row)?;
                (task.at, task.after_ms, task.signal) = (terms.at, terms.after_ms, terms.signal);
            }
            if let Some(row) = needs.get(&index) {
                task.needs = rows::needs(row)?;
            }
            self.row(format!("staged {run} {op} {group} {index}"), to_json(&task)?);
        }
        Ok(())
    }

    async fn signals(&mut self, key: &ThreadKey) -> Result<(), Error> {
        for signal in reader::signals(self.links, key).await? {
            self.row(format!("signal {key} {}", signal.number), to_json(&signal)?);
        }
        Ok(())
    }

    async fn listed(&mut self, key: &str, tenant: &str) -> Result<(), Error> {
        for (uuid, at) in self.scores(key).await? {
            let run = run_of(self.partition, &uuid)?;
            self.row(format!("listed {tenant} {run}"), at.to_string());
        }
        Ok(())
    }

    async fn inbox(&mut self, key: &str, tenant: &str) -> Result<(), Error> {
        for (member, at) in self.scores(key).await? {
            let (uuid, rest) = member.split_once('/').ok_or_else(|| broken("an inbox entry"))?;
            let run = run_of(self.partition, uuid)?;
            let (_, place) = rest.split_once('/').ok_or_else(|| broken("an inbox entry"))?;
            let command = cmd("HGET").arg(keys::run(run)).arg(format!("?{place}")).take();
            let row: Vec<u8> = self.links.command(self.partition, &command).await?;
            let id = rows::interrupt(run, place, &row, String::new())?.id;
            self.row(format!("inbox {tenant} {id}"), format!("{at} {run}/{rest}"));
        }
        Ok(())
    }

    /// The keys of the partition itself.
    async fn index(&mut self, key: &str, name: &str) -> Result<(), Error> {
        match name {
            "d" => {
                for (member, at) in self.scores(key).await? {
                    self.row(format!("due {member}"), at.to_string());
                }
            }
            "e" => self.events(key).await?,
            "a" => {
                for (place, audit) in events::audit(self.links, self.partition, None).await?.iter().enumerate() {
                    self.row(format!("audit {place:010}"), to_json(audit)?);
                }
            }
            "h" => {
                if let Some(head) = events::audit_head(self.links, self.partition).await? {
                    self.row("audit head".to_owned(), to_json(&head)?);
                }
            }
            "k" => {
                for (uuid, row) in self.hash(key).await? {
                    let run = run_of(self.partition, &uuid)?;
                    let mut fields = Fields::of(&row)?;
                    let (at, reason) = (fields.moment()?, fields.text()?);
                    self.row(format!("parked {run}"), format!("{at} {reason}"));
                }
            }
            "u" => {
                for (name, row) in self.hash(key).await? {
                    self.key(&name, &row)?;
                }
            }
            "z" => {
                for (uuid, row) in self.hash(key).await? {
                    let id = run_of(self.partition, &uuid)?;
                    self.row(format!("schedule {id}"), to_json(&schedules::row(&row)?)?);
                }
            }
            // The clock, who sweeps, an index of keys, and counts, which are compared by themselves.
            "c" | "s" | "v" | "o" => {}
            _ => return Err(broken("an unknown key")),
        }
        Ok(())
    }

    /// The result of a key, or who reserved it.
    fn key(&mut self, name: &str, row: &[u8]) -> Result<(), Error> {
        let parts: Vec<&str> = name.split('\0').collect();
        let [tenant, tool, cache, text] = parts.as_slice() else { return Err(broken("a key's name")) };
        let mut fields = Fields::of(row)?;
        let (done, what) = (fields.flag()?, fields.text()?);
        let state = if done {
            KeyState::Done(what)
        } else {
            KeyState::Reserved(what.parse().map_err(|_| broken("a job's id"))?)
        };
        let row = KeyRow { state, until: fields.moment()? };
        self.row(format!("key {tenant} {tool} {} {text}", *cache == "1"), to_json(&row)?);
        Ok(())
    }

    async fn events(&mut self, key: &str) -> Result<(), Error> {
        let entries: events::Entries =
            self.links.command(self.partition, cmd("XRANGE").arg(key).arg("-").arg("+")).await?;
        let mut by_run: BTreeMap<RunId, Vec<Event>> = BTreeMap::new();
        for (_, fields) in &entries {
            for event in events::entry(self.partition, fields)? {
                let known = by_run.entry(event.run).or_default();
                // A run submitted again under the same id begins anew.
                if event.seq == 1 {
                    known.clear();
                }
                known.push(event);
            }
        }
        for event in by_run.into_values().flatten() {
            self.row(format!("event {} {:010}", event.run, event.seq), to_json(&event)?);
        }
        Ok(())
    }
}
