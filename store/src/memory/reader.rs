//! Reading a memory store.

use async_trait::async_trait;
use baton_common::ids::{ChannelName, GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupPhase, Interrupt, InterruptState, Run, Signal, Span,
    Task, TaskKind, TaskState, Thread,
};
use baton_common::transition::{ClosedGroup, Due};
use baton_common::{JobId, Partition, TenantId, Timestamp};

use super::MemoryStore;
use super::groups::TaskRows;
use super::rows::PartitionRows;
use crate::{AuditPage, Error, Loaded, OpenWait, Reader, RunDetail, RunFilter, Show, TaskBodies};

#[async_trait]
impl Reader for MemoryStore {
    async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        Ok(self.read(run.partition, |rows| whole_run(rows, run)).flatten())
    }

    async fn load(&self, run: RunId) -> Result<Option<Loaded>, Error> {
        let now = self.clock();
        Ok(self.read(run.partition, |rows| load(rows, run, now)).flatten())
    }

    async fn detail(&self, run: RunId) -> Result<Option<RunDetail>, Error> {
        Ok(self
            .read(run.partition, |rows| {
                let groups = rows.seen_groups(run).into_iter();
                let groups = groups.map(|group| {
                    let tasks = rows.seen_tasks(run, &group.info.id);
                    (group, tasks)
                });
                let interrupts = rows.interrupts.iter().filter(|((of, _, _), _)| *of == run);
                Some(RunDetail {
                    run: whole_run(rows, run)?,
                    groups: groups.collect(),
                    interrupts: interrupts.map(|(_, interrupt)| interrupt.clone()).collect(),
                })
            })
            .flatten())
    }

    async fn group(&self, run: RunId, group: &GroupId) -> Result<Option<(Group, Vec<Task>)>, Error> {
        Ok(self
            .read(run.partition, |rows| {
                let found = rows.seen_groups(run).into_iter().find(|known| known.info.id == *group)?;
                let tasks = rows.seen_tasks(run, &found.info.id);
                Some((found, tasks))
            })
            .flatten())
    }

    async fn thread(&self, key: &ThreadKey) -> Result<Option<Thread>, Error> {
        Ok(self.read(key.partition(), |rows| rows.threads.get(key).cloned()).flatten())
    }

    async fn checkpoint(&self, key: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, Error> {
        let found = |rows: &PartitionRows| {
            lineage(rows, key, seq)
                .into_iter()
                .find_map(|of| rows.checkpoints.get(&(of, seq)).map(|found| Checkpoint::clone(found)))
        };
        Ok(self.read(key.partition(), found).flatten())
    }

    async fn segments(&self, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
        let found = |rows: &PartitionRows| {
            let (lineage, channel) = (lineage(rows, key, Seq(0)), ChannelName::from(channel));
            let piece = |number| {
                let mut pieces = lineage.iter().map(|of| (of.clone(), channel.clone(), number));
                pieces.find_map(|place| rows.segments.get(&place).cloned())
            };
            (span.base..span.end).filter_map(piece).collect()
        };
        Ok(self.read(key.partition(), found).unwrap_or_default())
    }

    async fn bodies(&self, job: &JobId) -> Result<TaskBodies, Error> {
        let bodies = |rows: &PartitionRows| {
            let rows = rows.task_rows(job.run, &job.group, job.index)?;
            let TaskRows { input, result, continued, .. } = rows.clone();
            Some(TaskBodies { input, result, continued })
        };
        Ok(self.read(job.run.partition, bodies).flatten().unwrap_or_default())
    }

    async fn signals(&self, key: &ThreadKey) -> Result<Vec<Signal>, Error> {
        let span = (key.clone(), 0)..=(key.clone(), u64::MAX);
        Ok(self
            .read(key.partition(), |rows| rows.signals.range(span).map(|(_, signal)| signal.clone()).collect())
            .unwrap_or_default())
    }

    async fn waits(&self, run: RunId) -> Result<Vec<OpenWait>, Error> {
        Ok(self.read(run.partition, |rows| waits(rows, run)).unwrap_or_default())
    }

    async fn runs(&self, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<Run>, Error> {
        let data = self.shared.data.lock();
        let mut found: Vec<(Timestamp, RunId, Run)> = Vec::new();
        for rows in data.partitions.values() {
            for (of, at, run) in rows.listed.keys() {
                let older = filter.before.is_none_or(|before| (*at, *run) < before);
                if of != tenant || !older {
                    continue;
                }
                let Some(whole) = whole_run(rows, *run) else { continue };
                let status = filter.status.is_none_or(|status| whole.state.status == status);
                let thread = filter.thread.as_ref().is_none_or(|thread| whole.info.thread == *thread);
                if status && thread {
                    found.push((*at, *run, whole));
                }
            }
        }
        found.sort_by_key(|(at, run, _)| std::cmp::Reverse((*at, *run)));
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        Ok(found.into_iter().take(limit).map(|(_, _, run)| run).collect())
    }

    async fn inbox(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Interrupt>, Error> {
        let data = self.shared.data.lock();
        let mut found: Vec<Interrupt> = Vec::new();
        for rows in data.partitions.values() {
            let open = rows.interrupts.values().filter(|interrupt| interrupt.state == InterruptState::Open);
            found.extend(open.filter(|it| rows.inbox.contains_key(&(tenant.clone(), it.id))).cloned());
        }
        found.sort_by_key(|interrupt| (interrupt.opened_at, interrupt.id));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self
            .read(run.partition, |rows| {
                let events = rows.events.get(&run).map(Vec::as_slice).unwrap_or_default();
                let behind = events.partition_point(|event| event.seq <= after);
                events[behind..].iter().take(limit).cloned().collect()
            })
            .unwrap_or_default())
    }

    async fn audit(&self, partition: Partition, limit: u32) -> Result<Vec<Audit>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.read(partition, |rows| rows.audit.iter().take(limit).cloned().collect()).unwrap_or_default())
    }

    async fn audit_page(
        &self,
        partition: Partition,
        after: Option<&str>,
        limit: u32,
        newest_first: bool,
    ) -> Result<AuditPage, Error> {
        let page = |rows: &PartitionRows| {
            let skip = after.and_then(|after| after.parse().ok()).unwrap_or(0_usize);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let entries: Vec<Audit> = if newest_first {
                rows.audit.iter().rev().skip(skip).take(limit).cloned().collect()
            } else {
                rows.audit.iter().skip(skip).take(limit).cloned().collect()
            };
            let next = (entries.len() == limit).then(|| (skip + limit).to_string());
            AuditPage { entries, next }
        };
        Ok(self.read(partition, page).unwrap_or_default())
    }

    async fn audit_head(&self, partition: Partition) -> Result<Option<AuditHead>, Error> {
        Ok(self.read(partition, |rows| rows.audit_head.clone()).flatten())
    }

    async fn outline(&self, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error> {
        let mut detail = self.detail(run).await?;
        for (group, tasks) in detail.iter_mut().flat_map(|detail| &mut detail.groups) {
            if group.info.count > tasks_max {
                tasks.clear();
            }
        }
        Ok(detail)
    }

    async fn due_at(&self, partition: Partition, keys: &[DueKey]) -> Result<Vec<Option<Timestamp>>, Error> {
        let at = |rows: &PartitionRows| keys.iter().map(|key| rows.due.get(key).copied()).collect();
        Ok(self.read(partition, at).unwrap_or_else(|| vec![None; keys.len()]))
    }

    async fn parked(&self, run: RunId) -> Result<Option<(Timestamp, String)>, Error> {
        Ok(self.read(run.partition, |rows| rows.parked.get(&run).cloned()).flatten())
    }

    async fn due(&self, partition: Partition) -> Result<Vec<(Timestamp, Due)>, Error> {
        Ok(self
            .read(partition, |rows| {
                let entries = rows.due_order.iter();
                entries.map(|(at, key)| (*at, Due { key: key.clone(), attempts: 0 })).collect()
            })
            .unwrap_or_default())
    }

    async fn scan(&self, show: Show) -> Result<(), Error> {
        for partition in self.used_partitions() {
            self.dump(partition).values().for_each(|text| show(text.as_bytes()));
        }
        self.shared.data.lock().registry.sources().for_each(|source| show(source.as_bytes()));
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.clock())
    }
}

/// A thread and those it shares the state of that seq with, the nearest first.
fn lineage(rows: &PartitionRows, key: &ThreadKey, seq: Seq) -> Vec<ThreadKey> {
    let origin = |key: &ThreadKey| {
        let origin = rows.threads.get(key)?.origin.as_ref().filter(|origin| seq <= origin.seq);
        origin.map(|origin| origin.thread.clone())
    };
    std::iter::successors(Some(key.clone()), origin).collect()
}

fn waits(rows: &PartitionRows, run: RunId) -> Vec<OpenWait> {
    let Some(generation) = rows.states.get(&run).map(|state| state.r#gen) else { return Vec::new() };
    let mut waits = Vec::new();
    for group in rows.seen_groups(run).into_iter().filter(|group| group.info.kind == TaskKind::Wait) {
        for (index, task) in (0_u32..).zip(rows.seen_tasks(run, &group.info.id)) {
            let Some(rows) = rows.task_rows(run, &group.info.id, index) else { continue };
            let signal = rows.terms.as_ref().and_then(|terms| terms.signal.clone());
            if let (TaskState::Parked, Some(signal), Some(body)) = (task.state, signal, &rows.input) {
                let job = JobId { run, r#gen: generation, group: group.info.id.clone(), index };
                waits.push(OpenWait { job, group: group.info.clone(), signal, body: body.clone() });
            }
        }
    }
    waits
}

fn whole_run(rows: &PartitionRows, run: RunId) -> Option<Run> {
    Some(Run {
        info: baton_common::records::RunInfo::clone(rows.infos.get(&run)?),
        state: rows.states.get(&run)?.clone(),
        end: rows.ends.get(&run).cloned(),
    })
}

fn load(rows: &PartitionRows, run: RunId, now: Timestamp) -> Option<Loaded> {
    let whole = whole_run(rows, run)?;
    let thread = rows.threads.get(&whole.info.thread)?.clone();
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    for group in rows.seen_groups(run) {
        if group.info.detached {
            continue;
        }
        if group.state.phase != GroupPhase::Closed {
            open.push(group.info.id.clone());
            continue;
        }
        let result = |index| rows.task_rows(run, &group.info.id, index)?.result.clone();
        let outcomes = (0..group.info.count).map(result);
        closed.push(ClosedGroup { outcomes: Some(outcomes.collect()), info: group.info.clone(), state: group.state });
    }
    Some(Loaded { run: whole, thread, closed, open, now })
}
