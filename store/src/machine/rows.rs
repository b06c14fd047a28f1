//! The rows a transition reads and writes, as a trait that adapters give it.
//!
//! An adapter makes one transition's reads and writes atomic; the machine validates before
//! it writes, so an adapter never has to undo a refused one.

use std::sync::Arc;

use baton_common::commit::{NewTask, Segment};
use baton_common::ids::{GroupId, InterruptId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupInfo, GroupState, Interrupt, KeyRow, RunInfo,
    RunState, Signal, Task, Terms, Thread,
};
use baton_common::transition::KeyName;
use baton_common::{Digest, JobId, TenantId, Timestamp};

use crate::Error;

/// What reading or writing rows gives.
pub type Outcome<T> = Result<T, Error>;

/// The rows of one partition, inside one atomic write.
pub trait Rows: super::ScheduleRows + super::RetentionRows {
    /// A thread.
    fn thread(&mut self, key: &ThreadKey) -> Outcome<Option<Thread>>;
    /// Writes a thread.
    fn put_thread(&mut self, thread: Thread) -> Outcome<()>;
    /// A checkpoint.
    fn checkpoint(&mut self, key: &ThreadKey, seq: Seq) -> Outcome<Option<Checkpoint>>;
    /// Writes a checkpoint.
    fn put_checkpoint(&mut self, key: &ThreadKey, checkpoint: &Arc<Checkpoint>) -> Outcome<()>;
    /// Writes a piece of an append-like channel.
    fn put_segment(&mut self, key: &ThreadKey, segment: &Segment) -> Outcome<()>;

    /// A signal of a thread.
    fn signal(&mut self, key: &ThreadKey, number: u64) -> Outcome<Option<Signal>>;
    /// The number of the signal of that id.
    fn signal_number(&mut self, key: &ThreadKey, id: &str) -> Outcome<Option<u64>>;
    /// Writes a signal.
    fn put_signal(&mut self, key: &ThreadKey, signal: &Signal) -> Outcome<()>;
    /// Removes a signal.
    fn delete_signal(&mut self, key: &ThreadKey, number: u64) -> Outcome<()>;

    /// What is fixed about a run.
    fn run_info(&mut self, run: RunId) -> Outcome<Option<Arc<RunInfo>>>;
    /// Writes what is fixed about a run.
    fn put_run_info(&mut self, info: &RunInfo) -> Outcome<()>;
    /// What changes about a run.
    fn run_state(&mut self, run: RunId) -> Outcome<Option<RunState>>;
    /// Writes what changes about a run.
    fn put_run_state(&mut self, run: RunId, state: &RunState) -> Outcome<()>;
    /// Writes a run's end.
    fn put_run_end(&mut self, run: RunId, end: &Body) -> Outcome<()>;
    /// Removes a run's end: it was taken up again.
    fn delete_run_end(&mut self, run: RunId) -> Outcome<()>;
    /// Removes a run with all its groups, tasks, questions and staged tasks. Its events may
    /// stay until a cap removes them.
    fn delete_run(&mut self, run: RunId) -> Outcome<()>;

    /// A group.
    fn group(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<Group>>;
    /// The groups of a run, in order of their ids.
    fn groups(&mut self, run: RunId) -> Outcome<Vec<Group>>;
    /// Writes what is fixed about a group.
    fn put_group_info(&mut self, run: RunId, info: &Arc<GroupInfo>) -> Outcome<()>;
    /// Writes what changes about a group.
    fn put_group_state(&mut self, run: RunId, group: &GroupId, state: &GroupState) -> Outcome<()>;
    /// Removes a group with its tasks and whatever is kept beside them.
    fn delete_group(&mut self, run: RunId, group: &GroupId) -> Outcome<()>;

    /// A task.
    fn task(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Task>>;
    /// The tasks of a group, by index.
    fn tasks(&mut self, run: RunId, group: &GroupId) -> Outcome<Vec<Task>>;
    /// Writes a task.
    fn put_task(&mut self, run: RunId, group: &GroupId, index: u32, task: &Task) -> Outcome<()>;
    /// A task's input or question.
    fn input(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>>;
    /// Writes a task's input or question.
    fn put_input(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()>;
    /// A task's outcome.
    fn result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>>;
    /// Writes a task's outcome.
    fn put_result(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()>;
    /// Removes a task's outcome.
    fn delete_result(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()>;
    /// What a job goes on with.
    fn continued(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Body>>;
    /// Writes what a job goes on with.
    fn put_continued(&mut self, run: RunId, group: &GroupId, index: u32, body: &Body) -> Outcome<()>;
    /// What a task waits for; most have none. Adapters keep it as they like: no dump shows it.
    fn terms(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<Option<Terms>>;
    /// Writes what a task waits for.
    fn put_terms(&mut self, run: RunId, group: &GroupId, index: u32, terms: &Terms) -> Outcome<()>;
    /// The lowest index of a group that may go once its window has room. No dump shows these.
    fn first_waiting(&mut self, run: RunId, group: &GroupId) -> Outcome<Option<u32>>;
    /// Notes that an index may go.
    fn put_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()>;
    /// Notes that it went.
    fn delete_waiting(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()>;

    /// The lowest indexes of a group that ended and were not followed to all that need them,
    /// with how many of these were. No dump shows these.
    fn unsettled(&mut self, run: RunId, group: &GroupId, limit: u32) -> Outcome<Vec<(u32, u32)>>;
    /// Notes such an index.
    fn put_unsettled(&mut self, run: RunId, group: &GroupId, index: u32, from: u32) -> Outcome<()>;
    /// Notes that it was followed.
    fn delete_unsettled(&mut self, run: RunId, group: &GroupId, index: u32) -> Outcome<()>;

    /// Writes staged tasks.
    fn put_staged(&mut self, run: RunId, op: Digest, group: &GroupId, first: u32, tasks: &[NewTask]) -> Outcome<()>;
    /// How many tasks are staged under an operation.
    fn staged_count(&mut self, run: RunId, op: Digest) -> Outcome<u32>;
    /// The staged tasks of a group, by index.
    fn staged(&mut self, run: RunId, op: Digest, group: &GroupId) -> Outcome<Vec<NewTask>>;
    /// Removes all staged tasks of a run.
    fn delete_staged(&mut self, run: RunId) -> Outcome<()>;

    /// The question of a task.
    fn interrupt(&mut self, job: &JobId) -> Outcome<Option<Interrupt>>;
    /// Writes the question of a task.
    fn put_interrupt(&mut self, interrupt: &Interrupt) -> Outcome<()>;

    /// A key.
    fn key_row(&mut self, name: &KeyName) -> Outcome<Option<KeyRow>>;
    /// Writes a key.
    fn put_key_row(&mut self, name: &KeyName, row: &KeyRow) -> Outcome<()>;
    /// Removes a key.
    fn delete_key_row(&mut self, name: &KeyName) -> Outcome<()>;
    /// Keys whose time was over by then, by time and then by name.
    fn keys_until(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<KeyName>>;

    /// When an entry is due.
    fn due(&mut self, key: &DueKey) -> Outcome<Option<Timestamp>>;
    /// Writes a due entry.
    fn put_due(&mut self, key: &DueKey, at: Timestamp) -> Outcome<()>;
    /// Removes a due entry.
    fn delete_due(&mut self, key: &DueKey) -> Outcome<()>;
    /// Entries due by then, by time and then by member.
    fn due_by(&mut self, at: Timestamp, limit: u32) -> Outcome<Vec<DueKey>>;
    /// When the first entry is due.
    fn next_due(&mut self) -> Outcome<Option<Timestamp>>;

    /// Lists a run, new ones first.
    fn put_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()>;
    /// Lists a run no longer.
    fn delete_listed(&mut self, tenant: &TenantId, at: Timestamp, run: RunId) -> Outcome<()>;
    /// Lists an open question.
    fn put_inbox(&mut self, tenant: &TenantId, at: Timestamp, interrupt: InterruptId, job: &JobId) -> Outcome<()>;
    /// Lists a question no longer.
    fn delete_inbox(&mut self, tenant: &TenantId, interrupt: InterruptId) -> Outcome<()>;
    /// Lists a run that an operator must look at, and why.
    fn put_parked(&mut self, run: RunId, at: Timestamp, reason: &str) -> Outcome<()>;
    /// Lists it no longer.
    fn delete_parked(&mut self, run: RunId) -> Outcome<()>;

    /// Appends an event.
    fn append_event(&mut self, event: Event) -> Outcome<()>;
    /// Where the audit log ends; nothing before it has an entry with a link.
    fn audit_head(&mut self) -> Outcome<Option<AuditHead>>;
    /// Appends an audit entry, and says where the log ends then.
    fn append_audit(&mut self, audit: &Audit, head: &AuditHead) -> Outcome<()>;
}
