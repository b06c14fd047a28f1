//! The store: the truth about threads, runs and their jobs.
//!
//! [`Store::apply`] is the atomic boundary: one transition, one script or transaction.
//! [`Reader`] shows records to drivers, people and screens, and [`Registry`] keeps what
//! lies outside partitions. [`machine`] says what the transitions do; adapters: `memory`
//! and `sqlite` call it, `redis` is held to it by a differential test.

use std::sync::Arc;

use async_trait::async_trait;
use baton_common::ids::{GraphHash, GroupId, RunId, Seq, ThreadKey};
use baton_common::records::{
    Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, GroupInfo, Interrupt, Quota, Run, RunStatus, Signal,
    Span, Task, Thread,
};
use baton_common::transition::{ClosedGroup, Due, DuePage, Op, PopDue, Reply};
use baton_common::{JobId, Partition, TenantId, Timestamp};

pub mod audit;
mod counts;
mod live;
pub mod machine;
pub mod memory;
mod meter;
pub mod redis;
mod schedules;
pub mod sqlite;
#[allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "test code that adapters elsewhere share"
)]
#[doc(hidden)]
pub mod suite;

pub use self::redis::{RedisOptions, RedisStore};
pub use counts::Counts;
pub use live::Live;
pub use memory::MemoryStore;
pub use meter::{ASK_AGAIN_MS, MeterAct, MeterLimit, MeterRow, MeterSeen, Metered};
pub use schedules::Schedules;
pub use sqlite::{SqliteOptions, SqliteStore};

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is known of what happened: the write may or may not be there. Repeat it.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store takes no more data now.
    #[error("store full: {0}")]
    Full(String),
    /// Repeating will not help: a record cannot be read, or the store is another.
    #[error("store broken: {0}")]
    Broken(String),
}

/// The atomic boundary.
#[async_trait]
pub trait Store: Reader + Registry + Quotas + Schedules + Send + Sync {
    /// Makes one transition. An error means that nothing is known of it; repeat it.
    async fn apply(&self, op: Op) -> Result<Reply, Error>;

    /// Takes due entries of several partitions; pages in the order of `partitions`.
    async fn pop_due(&self, partitions: &[Partition], limit: u32, hide_ms: u64) -> Result<Vec<DuePage>, Error> {
        let mut pages = Vec::with_capacity(partitions.len());
        for &partition in partitions {
            match self.apply(Op::PopDue(PopDue { partition, limit, hide_ms })).await? {
                Reply::PopDue(page) => pages.push(page),
                other => return Err(Error::Broken(format!("POP_DUE answered {other:?}"))),
            }
        }
        Ok(pages)
    }

    /// Takes the lease to sweep a partition for `ms` milliseconds, or prolongs it. Only an
    /// optimisation: two sweepers on one partition do no harm.
    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error>;

    /// What passes between the processes on this store; `None` where there can be one only.
    fn live(&self) -> Option<std::sync::Arc<dyn Live>> {
        None
    }

    /// Rises when the servers behind the store are others than before: they may have gone back
    /// to an earlier moment. Always 0 where there are none.
    fn incarnation(&self) -> u64 {
        0
    }

    /// Appends an audit entry about a run that went back with the servers. No transition: it
    /// tells of one that is no more. Told twice it stands there twice.
    async fn note_setback(&self, _entry: Audit) -> Result<(), Error> {
        Ok(())
    }

    /// How full it is, where it has a bound.
    async fn fill(&self) -> Result<Option<Fill>, Error> {
        Ok(None)
    }

    /// How many runs are open and questions asked, over all tenants: from what is kept for it, at a
    /// cost that does not grow with the number of runs.
    async fn counts(&self) -> Result<Counts, Error> {
        Ok(Counts::default())
    }

    /// Ends background work and connections.
    async fn close(&self);
}

/// How much of its room a store uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Bytes in use.
    pub used: u64,
    /// Bytes it may use.
    pub most: u64,
}

/// What a driver needs to compute a run's next step.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The run.
    pub run: Run,
    /// Its thread, with the channel heads.
    pub thread: Thread,
    /// Its closed groups with all outcomes, in order of their ids.
    pub closed: Vec<ClosedGroup>,
    /// Ids of its open groups.
    pub open: Vec<GroupId>,
    /// The store's clock.
    pub now: Timestamp,
}

/// Which runs a listing shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Only runs with this status.
    pub status: Option<RunStatus>,
    /// Only runs of this thread.
    pub thread: Option<ThreadKey>,
    /// Only runs submitted before this one: pages go from new to old.
    pub before: Option<(Timestamp, RunId)>,
    /// At most so many.
    pub limit: u32,
}

/// Everything about one run, for screens and tests.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// Its open and closed groups, and their tasks by index.
    pub groups: Vec<(Group, Vec<Task>)>,
    /// Its questions.
    pub interrupts: Vec<Interrupt>,
}

/// A wait for a signal that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWait {
    /// The wait.
    pub job: JobId,
    /// What is fixed about its group; its base is the checkpoint an expression sees.
    pub group: Arc<GroupInfo>,
    /// The signal's name.
    pub signal: String,
    /// [`baton_common::commit::Awaited`] as JSON.
    pub body: Body,
}

/// What lies beside a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskBodies {
    /// Its input or question.
    pub input: Option<Body>,
    /// Its outcome.
    pub result: Option<Body>,
    /// What it goes on with, where it asked or waited.
    pub continued: Option<Body>,
}

/// Some audit entries of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// In the order that was asked for.
    pub entries: Vec<Audit>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// The records as they stand. Reads may be a moment behind one another.
#[async_trait]
pub trait Reader: Send + Sync {
    /// One run.
    async fn run(&self, run: RunId) -> Result<Option<Run>, Error>;
    /// What a step needs.
    async fn load(&self, run: RunId) -> Result<Option<Loaded>, Error>;
    /// One run with its groups, tasks and questions.
    async fn detail(&self, run: RunId) -> Result<Option<RunDetail>, Error>;
    /// One group and its tasks by index, for the sweeper.
    async fn group(&self, run: RunId, group: &GroupId) -> Result<Option<(Group, Vec<Task>)>, Error>;
    /// What lies beside a task.
    async fn bodies(&self, job: &JobId) -> Result<TaskBodies, Error>;
    /// The thread.
    async fn thread(&self, key: &ThreadKey) -> Result<Option<Thread>, Error>;
    /// One checkpoint of a thread.
    async fn checkpoint(&self, key: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, Error>;
    /// Pieces of an append-like channel, in order.
    async fn segments(&self, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error>;
    /// The signals a thread keeps, in order, taken ones among them.
    async fn signals(&self, key: &ThreadKey) -> Result<Vec<Signal>, Error>;
    /// The open waits of a run for a signal, in order of group and index.
    async fn waits(&self, run: RunId) -> Result<Vec<OpenWait>, Error>;
    /// Runs of a tenant, new ones first.
    async fn runs(&self, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<Run>, Error>;
    /// Open questions of a tenant, old ones first.
    async fn inbox(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Interrupt>, Error>;
    /// Events of a run behind `after`, in order.
    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error>;
    /// Audit entries of a partition, old ones first.
    async fn audit(&self, partition: Partition, limit: u32) -> Result<Vec<Audit>, Error>;
    /// Audit entries of a partition from one end on, or from where a page ended. The place is
    /// the adapter's own.
    async fn audit_page(
        &self,
        partition: Partition,
        after: Option<&str>,
        limit: u32,
        newest_first: bool,
    ) -> Result<AuditPage, Error>;
    /// Where a partition's audit log ends; none where no entry has a link yet.
    async fn audit_head(&self, partition: Partition) -> Result<Option<AuditHead>, Error>;
    /// One run as [`Reader::detail`] shows it, without the tasks of groups of more than so many:
    /// what reading it costs has a bound.
    async fn outline(&self, run: RunId, tasks_max: u32) -> Result<Option<RunDetail>, Error>;
    /// When these entries of a partition are due.
    async fn due_at(&self, partition: Partition, keys: &[DueKey]) -> Result<Vec<Option<Timestamp>>, Error>;
    /// Since when a run waits for an operator, and the reason's code.
    async fn parked(&self, run: RunId) -> Result<Option<(Timestamp, String)>, Error>;
    /// Due entries of a partition with their times, without taking them.
    async fn due(&self, partition: Partition) -> Result<Vec<(Timestamp, Due)>, Error>;
    /// The store's clock.
    async fn now(&self) -> Result<Timestamp, Error>;
    /// Shows the text of every record that may refer to a blob, some of them more than once and
    /// in no order. What is written meanwhile may be shown or not.
    async fn scan(&self, show: Show) -> Result<(), Error> {
        let _ = show;
        Err(Error::Broken("this store shows nobody all of its records".to_owned()))
    }
}

/// Looks at the text of a record.
pub type Show = std::sync::Arc<dyn Fn(&[u8]) + Send + Sync>;

/// An applied graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGraph {
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub hash: GraphHash,
    /// Its canonical source.
    pub source: Body,
    /// When it was applied last.
    pub applied_at: Timestamp,
}

/// An API key: only its hash is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApiKey {
    /// Public part, for listings.
    pub id: String,
    /// H of the whole key.
    pub hash: baton_common::Digest,
    /// Whose.
    pub tenant: TenantId,
    /// Who acts with it.
    pub actor: baton_common::Actor,
    /// What it may do: `submit`, `read`, `answer`, `operate`, `work`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it opens nothing; never, without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A worker process as it announced itself, as JSON, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWorker {
    /// Its id, in hexadecimal.
    pub id: String,
    /// The announcement.
    pub body: Body,
    /// When it was seen last.
    pub seen_at: Timestamp,
}

/// What lies outside partitions.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The store's name: made when it was created, part of every message.
    async fn cluster(&self) -> Result<String, Error>;
    /// Keeps a graph, and makes this version the one its name means.
    async fn put_graph(&self, graph: StoredGraph) -> Result<(), Error>;
    /// A version of a graph.
    async fn graph(&self, tenant: &TenantId, hash: GraphHash) -> Result<Option<StoredGraph>, Error>;
    /// The version a name means.
    async fn graph_named(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredGraph>, Error>;
    /// The version each name means, by name.
    async fn graphs(&self, tenant: &TenantId) -> Result<Vec<StoredGraph>, Error>;
    /// Keeps a key.
    async fn put_api_key(&self, key: ApiKey) -> Result<(), Error>;
    /// The key of that hash.
    async fn api_key(&self, hash: baton_common::Digest) -> Result<Option<ApiKey>, Error>;
    /// All keys, by id.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, Error>;
    /// Removes the key of that id; whether there was one.
    async fn remove_api_key(&self, id: &str) -> Result<bool, Error>;
    /// Notes that a worker is there.
    async fn put_worker(&self, id: &str, body: Body) -> Result<(), Error>;
    /// Workers seen since then, by id.
    async fn workers(&self, since: Timestamp) -> Result<Vec<StoredWorker>, Error>;
}

/// Quotas and their meters, outside partitions.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Keeps a quota in place of its owner's of that name.
    async fn put_quota(&self, quota: Quota) -> Result<(), Error>;
    /// All quotas, by owner and name.
    async fn quotas(&self) -> Result<Vec<Quota>, Error>;
    /// Removes a quota; whether there was one.
    async fn remove_quota(&self, owner: &TenantId, name: &str) -> Result<bool, Error>;
    /// Does something to the meter of that name. `at` names the moment, in tests.
    async fn meter(&self, name: &str, act: MeterAct, at: Option<Timestamp>) -> Result<Metered, Error>;
}
