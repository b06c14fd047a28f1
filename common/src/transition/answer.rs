//! ANSWER, CANCEL and FIRE: people and times.

use serde::{Deserialize, Serialize};

use super::Tail;
use crate::ids::{Actor, GroupId, InterruptId, JobId, RunId};
use crate::records::Body;

/// Answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The task that asked.
    pub job: JobId,
    /// The question.
    pub interrupt: InterruptId,
    /// The decision, as JSON: what a repetition is compared with.
    pub decision: Body,
    /// How the task ends: [`crate::job::Outcome`] as JSON.
    pub outcome: Body,
    /// Whether that outcome is a success.
    pub ok: bool,
    /// Who decided.
    pub actor: Actor,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerVerdict {
    /// It is the decision.
    Ok(Tail),
    /// The same decision was recorded before.
    Already,
    /// Another decision was recorded before.
    Conflict {
        /// The recorded one, as JSON.
        recorded: Body,
    },
    /// Its time was over.
    Expired,
    /// Its task ended otherwise.
    Withdrawn,
    /// The run is over or being cancelled.
    Terminal,
    /// No such question.
    Unknown,
}

/// Cancels a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The run.
    pub run: RunId,
    /// Who asks.
    pub actor: Actor,
    /// The operation over many that it is part of, for the audit; empty where it is none.
    pub operation: String,
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAnswer {
    /// It is being cancelled.
    Cancelling,
    /// It was being cancelled already.
    Already,
    /// It is over.
    Terminal,
    /// No such run.
    Unknown,
}

/// A due timer: a question's expiry, a group's deadline or a run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// The run.
    pub run: RunId,
    /// The group, unless the run's own time is over.
    pub group: Option<GroupId>,
    /// The index, unless the whole group's time is over.
    pub index: Option<u32>,
}

/// What became of a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireAnswer {
    /// Nothing to do, or not yet.
    Kept,
    /// It ended what it was for.
    Fired(Tail),
}
