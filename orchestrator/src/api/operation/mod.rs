//! Operations over many runs or jobs: first a preview, which lists what would be touched as it
//! stands, then the same list again to have it done. What has gone on since is left alone, and
//! repeating an operation changes nothing.
//!
//! A preview is kept nowhere: each of its items carries a seal, and only sealed items of the
//! same operation are touched.

mod dead;
mod done;
mod select;

use baton_common::{Gen, JobId, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Status;

/// The most items of one preview, and of one call that applies some of them.
pub const ITEMS_MAX: u32 = 1_000;

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Open runs are asked to stop.
    Cancel,
    /// Runs that failed, were cancelled or are stuck are taken up again.
    Retry,
    /// Dead jobs and stuck runs are put to work again.
    Redrive,
    /// Dead jobs end as failed, stuck runs are cancelled.
    Drop,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Cancel, Self::Retry, Self::Redrive, Self::Drop];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Redrive => "redrive",
            Self::Drop => "drop",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it is about what is dead.
    #[must_use]
    pub fn is_about_dead(self) -> bool {
        matches!(self, Self::Redrive | Self::Drop)
    }
}

/// What an operation is about; what is not named does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only this run.
    pub run: Option<RunId>,
    /// Only runs of the graph of that name.
    pub graph: Option<String>,
    /// Only runs that stand there.
    pub status: Option<baton_common::records::RunStatus>,
    /// Only runs that wait for that, by the kind of [`super::Wait`]; of what is dead, its kind:
    /// `stuck`, `failed`, `outcome_unknown`, `unroutable`.
    pub why: Option<String>,
    /// Only jobs of that tool.
    pub tool: Option<String>,
    /// Only jobs of that node.
    pub node: Option<String>,
    /// Only failures of that class.
    pub class: Option<String>,
    /// Only what stands so for so long, in milliseconds.
    pub older_than_ms: u64,
    /// At most so many; 0 means [`ITEMS_MAX`].
    pub limit: u32,
}

/// One run or job as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The run.
    pub run: RunId,
    /// Its generation.
    pub generation: Gen,
    /// The job; none where it is about the run.
    pub job: Option<JobId>,
    /// The publication of the job that was seen; of an outcome that is unknown, its phase.
    pub seen: u32,
    /// `run`, `stuck`, `failed`, `outcome_unknown` or `unroutable`.
    pub kind: String,
    /// The graph's name.
    pub graph: String,
    /// Where the run stands.
    pub status: Status,
    /// The tool, for jobs.
    pub tool: String,
    /// In words, what it waits for or why it failed.
    pub text: String,
    /// Since when it stands so.
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
    /// Shows that this very item was previewed.
    pub seal: String,
}

/// What an operation would touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Names the operation, in the audit too.
    pub operation: String,
    /// What would be done.
    pub action: Action,
    /// What it would be done to, newest runs first.
    pub items: Vec<Item>,
    /// Runs that were looked at.
    pub looked_at: u32,
    /// Whether there may be more than these.
    pub more: bool,
}

/// An item that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The run.
    pub run: RunId,
    /// Its generation.
    pub generation: Gen,
    /// The job.
    pub job: Option<JobId>,
    /// See [`Item::seen`].
    pub seen: u32,
    /// See [`Item::kind`].
    pub kind: String,
    /// See [`Item::seal`].
    pub seal: String,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The run.
    pub run: RunId,
    /// The job.
    pub job: Option<JobId>,
    /// `done`, `already` where it was done before, or `refused`.
    pub result: String,
    /// Why it was refused: a code, and words.
    pub code: String,
    /// In words.
    pub text: String,
}
