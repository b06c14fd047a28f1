//! Due entries: what is to be looked at, and when.

use serde::{Deserialize, Serialize};
use uuid::fmt::Simple;

use crate::ids::{GroupId, JobId, NUMBER_BYTES, RunId, TenantId, Text as _, ThreadId, ThreadKey, add_number};

/// Kinds of due entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueKind {
    /// The run may be advanced.
    Ready,
    /// Tasks are to be published.
    Publish,
    /// Dispatched tasks are to be looked after.
    Check,
    /// A lease ends.
    Lease,
    /// A question expires, a group's or a run's time ends.
    Timer,
    /// A thread's signals are to be looked at for a wait of this run.
    Signal,
    /// A cancelled run must end.
    Cancel,
    /// A run's records may go.
    Gc,
    /// A schedule is to be looked at. Its entry names the schedule in the place of a run.
    Schedule,
    /// A thread may go, or what nobody needs of it.
    Thread,
}

impl DueKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::Publish,
        Self::Check,
        Self::Lease,
        Self::Timer,
        Self::Signal,
        Self::Cancel,
        Self::Gc,
        Self::Schedule,
        Self::Thread,
    ];

    /// The letter in a member's text.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Ready => 'r',
            Self::Publish => 'p',
            Self::Check => 'k',
            Self::Lease => 'l',
            Self::Timer => 't',
            Self::Signal => 's',
            Self::Cancel => 'c',
            Self::Gc => 'g',
            Self::Schedule => 'h',
            Self::Thread => 'x',
        }
    }
}

/// A due entry: what is to be looked at, of which run. Written `r|RUN`, `p|RUN|GROUP` or
/// `l|RUN|GROUP|INDEX`, where RUN is the uuid alone: the partition is known. That of a thread
/// is `x|TENANT/THREAD`, and its run is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DueKey {
    /// What to do.
    pub kind: DueKind,
    /// Of which run.
    pub run: RunId,
    /// Of which group, where that matters.
    pub group: Option<GroupId>,
    /// Of which index, where that matters.
    pub index: Option<u32>,
    /// Of which thread, for [`DueKind::Thread`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Box<ThreadKey>>,
}

impl DueKey {
    /// An entry for a whole run.
    #[must_use]
    pub fn run(kind: DueKind, run: RunId) -> Self {
        Self { kind, run, group: None, index: None, thread: None }
    }

    /// An entry for a group.
    #[must_use]
    pub fn group(kind: DueKind, run: RunId, group: &GroupId) -> Self {
        Self { kind, run, group: Some(group.clone()), index: None, thread: None }
    }

    /// An entry for one index of a group.
    #[must_use]
    pub fn task(kind: DueKind, job: &JobId) -> Self {
        Self { kind, run: job.run, group: Some(job.group.clone()), index: Some(job.index), thread: None }
    }

    /// The entry of a thread.
    #[must_use]
    pub fn thread(key: &ThreadKey) -> Self {
        let run = RunId { partition: key.partition(), uuid: uuid::Uuid::nil() };
        Self { kind: DueKind::Thread, run, group: None, index: None, thread: Some(Box::new(key.clone())) }
    }

    /// The member's text.
    #[must_use]
    pub fn member(&self) -> String {
        if let Some(thread) = &self.thread {
            return format!("{}|{thread}", self.kind.letter());
        }
        let group_bytes = self.group.as_ref().map_or(0, |group| group.node.as_str().len() + 2 * NUMBER_BYTES);
        let mut text = String::with_capacity(2 + Simple::LENGTH + group_bytes);
        text.push(self.kind.letter());
        text.push('|');
        text.push_str(self.run.uuid.simple().encode_lower(&mut [0; Simple::LENGTH]));
        // A String takes whatever is written.
        if let Some(group) = &self.group {
            text.push('|');
            let _ = group.add_to(&mut text);
        }
        if let Some(index) = self.index {
            text.push('|');
            let _ = add_number(u64::from(index), &mut text);
        }
        text
    }

    /// The entry whose member in `partition` is `text`.
    #[must_use]
    pub fn parse(partition: crate::Partition, text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("x|") {
            let (tenant, thread) = name.split_once('/')?;
            let (tenant, thread) = (TenantId::parse(tenant).ok()?, ThreadId::parse(thread).ok()?);
            return Some(Self::thread(&ThreadKey { tenant, thread }));
        }
        let mut parts = text.split('|');
        let letter = parts.next()?;
        let kind = DueKind::ALL.into_iter().find(|kind| letter.chars().eq([kind.letter()]))?;
        let uuid = uuid::Uuid::parse_str(parts.next()?).ok()?;
        let group = parts.next().map(str::parse).transpose().ok()?;
        let index = parts.next().map(str::parse).transpose().ok()?;
        Some(Self { kind, run: RunId { partition, uuid }, group, index, thread: None })
    }
}
