//! The rows of one partition as ordered maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_common::commit::{NewTask, Segment};
use baton_common::ids::{ChannelName, GroupId, InterruptId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupInfo, GroupState, Interrupt, KeyRow, RunInfo,
    RunState, ScheduleId, ScheduleRow, Signal, Task, Terms, Thread,
};
use baton_common::transition::KeyName;
use baton_common::{Digest, JobId, TenantId, Timestamp};

use super::changes::Changes;
use super::groups::{GroupRows, TaskRows};
use crate::machine::{Outcome, Rows};

type TaskKey = (RunId, GroupId, u32);

/// Rows of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct PartitionRows {
    pub(super) threads: BTreeMap<ThreadKey, Thread>,
    pub(super) checkpoints: BTreeMap<(ThreadKey, Seq), Arc<Checkpoint>>,
    pub(super) segments: BTreeMap<(ThreadKey, ChannelName, u64), Body>,
    pub(super) infos: BTreeMap<RunId, Arc<RunInfo>>,
    pub(super) states: BTreeMap<RunId, RunState>,
    pub(super) ends: BTreeMap<RunId, Body>,
    /// Of each run that has some.
    pub(super) groups: BTreeMap<RunId, BTreeMap<GroupId, GroupRows>>,
    pub(super) held: BTreeMap<(ThreadKey, String), Seq>,
    pub(super) signals: BTreeMap<(ThreadKey, u64), Signal>,
    pub(super) keys: BTreeMap<KeyName, KeyRow>,
    pub(super) schedules: BTreeMap<ScheduleId, ScheduleRow>,
    pub(super) staged: BTreeMap<(RunId, Digest, GroupId, u32), NewTask>,
    pub(super) interrupts: BTreeMap<TaskKey, Interrupt>,
    pub(super) due: BTreeMap<DueKey, Timestamp>,
    pub(super) due_order: BTreeSet<(Timestamp, DueKey)>,
    pub(super) listed: BTreeMap<(TenantId, Timestamp, RunId), ()>,
    pub(super) inbox: BTreeMap<(TenantId, InterruptId), (Timestamp, JobId)>,
    pub(super) parked: BTreeMap<RunId, (Timestamp, String)>,
    /// Of each run, in order.
    pub(super) events: BTreeMap<RunId, Vec<Event>>,
    pub(super) audit: Vec<Audit>,
    pub(super) audit_head: Option<AuditHead>,
    pub(super) changes: Option<Changes>,
}

impl PartitionRows {
    pub(super) fn wrote(&mut self, run: impl Into<Option<RunId>>) {
        if let Some(changes) = &mut self.changes {
            changes.rows += 1;
            changes.runs.extend(run.into());
        }
    }

    fn wrote_due(&mut self, run: RunId) {
        if let Some(changes) = &mut self.changes {
            changes.due += 1;
            changes.runs.insert(run);
        }
    }

    /// The groups of a run that are there for whoever looks, in order of their ids.
    pub(super) fn seen_groups(&self, run: RunId) -> Vec<Group> {
        let mut groups = self.groups_of(run);
        groups.retain(Group::is_there);
        groups
    }

    /// The groups of a run, in order of their ids.
    fn groups_of(&self, run: RunId) -> Vec<Group> {
        self.groups.get(&run).into_iter().flat_map(BTreeMap::values).filter_map(GroupRows::whole).collect()
    }

    /// The tasks of a group, by index, as they stand for those who look.
    pub(super) fn seen_tasks(&self, run: RunId, group: &GroupId) -> Vec<Task> {
        let seen = self.rows_of(run, group).map(GroupRows::seen_tasks).unwrap_or_default();
        seen.into_iter().map(|(_, task)| task).collect()
    }

    /// What there is of a group.
    fn rows_of(&self, run: RunId, group: &GroupId) -> Option<&GroupRows> {
        self.groups.get(&run)?.get(group)
    }

    /// What there is of a task.
    pub(super) fn task_rows(&self, run: RunId, group: &GroupId, index: u32) -> Option<&TaskRows> {
        self.rows_of(run, group)?.tasks.get(&index)
    }

    /// The same, to be written.
    fn group_to_write(&mut self, run: RunId, group: &GroupId) -> &mut GroupRows {
        self.wrote(run);
        self.groups.entry(run).or_default().entry(group.clone()).or_default()
    }

    /// The same, where there is something of it.
    fn group_there(&mut self, run: RunId, group: &GroupId) -> Option<&mut GroupRows> {
        self.wrote(run);
        self.groups.get_mut(&run)?.get_mut(group)
    }

    fn task_to_write(&mut self, run: RunId, group: &GroupId, index: u32) -> &mut TaskRows {
        self.group_to_write(run, group).tasks.entry(index).or_default()
    }
}

fn job_key(job: &JobId) -> TaskKey {
    (job.run, job.group.clone(), job.index)
}

impl Rows for PartitionRows {
    fn thread(&mut self, key: &ThreadKey) -> Outcome<Option<Thread>> {
        Ok(self.threads.get(key).cloned())
    }

    fn put_thread(&mut self, thread: Thread) -> Outcome<()> {
        self.wrote(None);
        self.threads.insert(thread.key.clone(), thread);
        Ok(())
    }

    fn checkpoint(&mut self, key: &ThreadKey, seq: Seq) -> Outcome<Option<Checkpoint>> {
        Ok(self.checkpoints.get(&(key.clone(), seq)).map(|found| Checkpoint::clone(found)))
    }

    fn put_checkpoint(&mut self, key: &ThreadKey, checkpoint: &Arc<Checkpoint>) -> Outcome<()> {
        self.wrote(checkpoint.run);
        self.checkpoints.insert((key.clone(), checkpoint.seq), checkpoint.clone());
        Ok(())
    }

    fn put_segment(&mut self, key: &ThreadKey, segment: &Segment) -> Outcome<()> {
        self.wrote(None);
        self.segments.insert((key.clone(), segment.channel.clone(), segment.number), segment.body.clone());
        Ok(())
    }

    fn signal(&mut self, key: &ThreadKey, number: u64) -> Outcome<Option<Signal>> {
        Ok(self.signals.get(&(key.clone(), number)).cloned())
    }

    fn signal_number(&mut self, key: &ThreadKey, id: &str) -> Outcome<Option<u64>> {
        let of_thread = self.signals.range((key.clone(), 0)..=(key.clone(), u64::MAX));
        Ok(of_thread.map(|(_, signal)| signal).find(|signal| signal.id == id).map(|signal| signal.number))
    }

    fn put_signal(&mut self, key: &ThreadKey, signal: &Signal) -> Outcome<()> {
        self.wrote(None);
        self.signals.insert((key.clone(), signal.number), signal.clone());
        Ok(())
    }

    fn delete_signal(&mut self, key: &ThreadKey, number: u64) -> Outcome<()> {
        self.wrote(None);
        self.signals.remove(&(key.clone(), number));
        Ok(())
    }

    fn run_info(&mut self, run: RunId) -> Outcome<Option<Arc<RunInfo>>> {
        Ok(self.infos.get(&run).cloned())
    }

    fn put_run_info(&mut self, info: &RunInfo) -> Outcome<()> {
        self.wrote(info.id);
        self.infos.insert(info.id, Arc::new(info.clone()));
        Ok(())
    }

    fn run_state(&mut self, run: RunId) -> Outcome<Option<RunState>> {
        Ok(self.states.get(&run).cloned())
    }

    fn put_run_state(&mut self, run: RunId, state: &RunState) -> Outcome<()> {
        self.wrote(run);
        self.states.insert(run, state.clone());
        Ok(())
    }

    fn put_run_end(&mut self, run: RunId, end: &Body) -> Outcome<()> {
        self.wrote(run);
        self.ends.insert(run, end.clone());
        Ok(())
    }

    fn delete_run_end(&mut self, run: RunId) -> Outcome<()> {
        self.wrote(run);
        self.ends.remove(&run);
        Ok(())
    }

    fn delete_run(&mut self, run: RunId) -> Outcome<()> {
        self.wrote(run);
        self.infos.remove(&run);
        self.states.remove(&run);
        self.ends.remove(&run);
        for group in self.groups_of(run) {
            self.delete_group(run, &group.info.id)?;
        }
        self.delete_staged(run)?;
        self.interrupts.retain(|(of, _, _), _| *of != run);
        self.events.remove(&run);
        Ok(())
    }

    fn group(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<Group>> {
        Ok(self.rows_of(run, group).and_then(GroupRows::whole))
    }

    fn groups(&mut self, run: RunId) -> Outcome<Vec<Group>> {
        Ok(self.groups_of(run))
    }

    fn put_group_info(&mut self, run: RunId, info: &Arc<GroupInfo>) -> Outcome<()> {
        self.group_to_write(run, &info.id).info = Some(info.clone());
        Ok(())
    }

    fn put_group_state(&mut self, run: RunId, group: &GroupId, state: &GroupState) -> Outcome<()> {
        self.group_to_write(run, group).state = Some(state.clone());
        Ok(())
    }

    fn delete_group(&mut self, run: RunId, group: &GroupId) -> Outcome<()> {
        self.wrote(run);
        let Some(groups) = self.groups.get_mut(&run) else { return Ok(()) };
        groups.remove(group);
        if groups.is_empty() {
            self.groups.remove(&run);
        }
        Ok(())
    }

    fn task(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Task>> {
        Ok(self.task_rows(run, group, index).and_then(|rows| rows.task.clone()))
    }

    fn tasks(&mut self, run: RunId, group: &GroupId) -> Outcome<Vec<Task>> {
        let tasks = self.rows_of(run, group).into_iter().flat_map(GroupRows::tasks);
        Ok(tasks.map(|(_, task)| task.clone()).collect())
    }

    fn put_task(&mut self, run: RunId, group: &GroupId, index: u32, task: &Task) -> Outcome<()> {
        self.task_to_write(run, group, index).task = Some(task.clone());
        Ok(())
    }

    fn input(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        Ok(self.task_rows(run, group, index).and_then(|rows| rows.input.clone()))
    }

    fn put_input(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        self.task_to_write(run, group, index).input = Some(body.clone());
        Ok(())
    }

    fn result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        Ok(self.task_rows(run, group, index).and_then(|rows| rows.result.clone()))
    }

    fn put_result(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        self.task_to_write(run, group, index).result = Some(body.clone());
        Ok(())
    }

    fn delete_result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        if self.task_rows(run, group, index).is_some_and(|rows| rows.result.is_some()) {
            self.task_to_write(run, group, index).result = None;
        }
        Ok(())
    }

    fn continued(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>> {
        Ok(self.task_rows(run, group, index).and_then(|rows| rows.continued.clone()))
    }

    fn put_continued(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()> {
        self.task_to_write(run, group, index).continued = Some(body.clone());
        Ok(())
    }

    fn terms(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Terms>> {
        Ok(self.task_rows(run, group, index).and_then(|rows| rows.terms.clone()))
    }

    fn put_terms(&mut self, run: RunId, group: &GroupId, index: u32, terms: &Terms) -> Outcome<()> {
        self.task_to_write(run, group, index).terms = Some(terms.clone());
        Ok(())
    }

    fn first_waiting(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<u32>> {
        Ok(self.rows_of(run, group).and_then(|rows| rows.waiting.first().copied()))
    }

    fn put_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        self.group_to_write(run, group).waiting.insert(index);
        Ok(())
    }

    fn delete_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        self.group_there(run, group).map(|rows| rows.waiting.remove(&index));
        Ok(())
    }

    fn unsettled(&mut self, run: RunId, group: &GroupId, limit: u32) -> Outcome<Vec<(u32, u32)>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let unsettled = self.rows_of(run, group).into_iter().flat_map(|rows| &rows.unsettled);
        Ok(unsettled.take(limit).map(|(index, from)| (*index, *from)).collect())
    }

    fn put_unsettled(&mut self, run: RunId, group: &GroupId, index: u32, from: u32) -> Outcome<()> {
        self.group_to_write(run, group).unsettled.insert(index, from);
        Ok(())
    }

    fn delete_unsettled(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()> {
        self.group_there(run, group).map(|rows| rows.unsettled.remove(&index));
        Ok(())
    }

    fn put_staged(&mut self, run: RunId, op: Digest, group: &GroupId, first: u32, tasks: &[NewTask]) -> Outcome<()> {
        self.wrote(run);
        for (index, task) in (first..).zip(tasks) {
            self.staged.insert((run, op, group.clone(), index), task.clone());
        }
        Ok(())
    }

    fn staged_count(&mut self, run: RunId, op: Digest) -> Outcome<u32> {
        let count = self.staged.keys().filter(|(of, under, _, _)| *of == run && *under == op).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn staged(&mut self, run: RunId, op: Digest, group: &GroupId) -> Outcome<Vec<NewTask>> {
        let span = (run, op, group.clone(), 0)..=(run, op, group.clone(), u32::MAX);
        Ok(self.staged.range(span).map(|(_, task)| task.clone()).collect())
    }

    fn delete_staged(&mut self, run: RunId) -> Outcome<()> {
        let before = self.staged.len();
        self.staged.retain(|(of, _, _, _), _| *of != run);
        if self.staged.len() != before {
            self.wrote(run);
        }
        Ok(())
    }

    fn interrupt(&mut self, job: &JobId) -> Outcome<Option<Interrupt>> {
        Ok(self.interrupts.get(&job_key(job)).cloned())
    }

    fn put_interrupt(&mut self, interrupt: &Interrupt) -> Outcome<()> {
        self.wrote(interrupt.job.run);
        self.interrupts.insert(job_key(&interrupt.job), interrupt.clone());
        Ok(())
    }

    fn key_row(&mut self, name: &KeyName) -> Outcome<Option<KeyRow>> {
        Ok(self.keys.get(name).cloned())
    }

    fn put_key_row(&mut self, name: &KeyName, row: &KeyRow) -> Outcome<()> {
        self.wrote(None);
        self.keys.insert(name.clone(), row.clone());
        Ok(())
    }

    fn delete_key_row(&mut self, name: &KeyName) -> Outcome<()> {
        self.wrote(None);
        self.keys.remove(name);
        Ok(())
    }

    fn keys_until(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<KeyName>> {
        let over = self.keys.iter().filter(|(_, row)| row.until <= at);
        let mut over: Vec<(Timestamp, KeyName)> = over.map(|(name, row)| (row.until, name.clone())).collect();
        over.sort();
        over.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(over.into_iter().map(|(_, name)| name).collect())
    }

    fn due(&mut self, key: &DueKey) -> Outcome<Option<Timestamp>> {
        Ok(self.due.get(key).copied())
    }

    fn put_due(&mut self, key: &DueKey, at: Timestamp) -> Outcome<()> {
        self.wrote_due(key.run);
        if let Some(before) = self.due.insert(key.clone(), at) {
            self.due_order.remove(&(before, key.clone()));
        }
        self.due_order.insert((at, key.clone()));
        Ok(())
    }

    fn delete_due(&mut self, key: &DueKey) -> Outcome<()> {
        if let Some(before) = self.due.remove(key) {
            self.wrote_due(key.run);
            self.due_order.remove(&(before, key.clone()));
        }
        Ok(())
    }

    fn due_by(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<DueKey>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let last = self.due_order.iter().nth(limit.saturating_sub(1)).map_or(at, |(when, _)| at.min(*when));
        let due = self.due_order.iter().take_while(|(when, _)| *when <= last);
        let mut due: Vec<&(Timestamp, DueKey)> = due.collect();
        due.sort_by_cached_key(|(when, key)| (*when, key.member()));
        Ok(due.into_iter().take(limit).map(|(_, key)| key.clone()).collect())
    }

    fn next_due(&mut self) -> Outcome<Option<Timestamp>> {
        Ok(self.due_order.first().map(|(at, _)| *at))
    }

    fn put_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()> {
        self.wrote(run);
        self.listed.insert((tenant.clone(), at, run), ());
        Ok(())
    }

    fn delete_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()> {
        self.wrote(run);
        self.listed.remove(&(tenant.clone(), at, run));
        Ok(())
    }

    fn put_inbox(&mut self, tenant: &TenantId, at: Timestamp, interrupt: InterruptId, job: &JobId) -> Outcome<()> {
        self.wrote(job.run);
        self.inbox.insert((tenant.clone(), interrupt), (at, job.clone()));
        Ok(())
    }

    fn delete_inbox(&mut self, tenant: &TenantId, interrupt: InterruptId) -> Outcome<()> {
        self.wrote(None);
        self.inbox.remove(&(tenant.clone(), interrupt));
        Ok(())
    }

    fn put_parked(&mut self, run: RunId, at: Timestamp, reason: &str) -> Outcome<()> {
        self.wrote(run);
        self.parked.insert(run, (at, reason.to_owned()));
        Ok(())
    }

    fn delete_parked(&mut self, run: RunId) -> Outcome<()> {
        if self.parked.remove(&run).is_some() {
            self.wrote(run);
        }
        Ok(())
    }

    fn append_event(&mut self, event: Event) -> Outcome<()> {
        self.wrote(event.run);
        self.events.entry(event.run).or_default().push(event);
        Ok(())
    }

    fn audit_head(&mut self) -> Outcome<Option<AuditHead>> {
        Ok(self.audit_head.clone())
    }

    fn append_audit(&mut self, audit: &Audit, head: &AuditHead) -> Outcome<()> {
        self.wrote(audit.run);
        self.audit.push(audit.clone());
        self.audit_head = Some(head.clone());
        Ok(())
    }
}
