//! DEAD: what an operator decides about a job that does not come through. Whether it is dead
//! is for whoever asks to say; here it matters only that nobody has it.

use super::Tail;
use crate::ids::{Actor, DispatchSeq, JobId};
use crate::records::Body;

/// Puts a job that nobody holds to work again, or ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The job.
    pub job: JobId,
    /// The publication that was looked at: a job that went on since is left alone.
    pub seen: DispatchSeq,
    /// The failure it ends with, as [`crate::job::Outcome`] in JSON. `None`: it is published
    /// again, and the workers lost with it are forgotten. Of a run that is over a job that
    /// failed can only be dropped: it is not counted as dead any more, and its failure stays.
    pub drop: Option<Body>,
    /// Who decides.
    pub actor: Actor,
    /// The operation over many that it is part of, for the audit; empty where it is none.
    pub operation: String,
}

impl Dead {
    /// What the audit says it was about: the task, and the operation.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}/{} {}", self.job.group, self.job.index, self.operation).trim_end().to_owned()
    }

    /// What the audit calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.drop.is_some() { "drop" } else { "redrive" }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadAnswer {
    /// It was done, and led to this.
    Done(Tail),
    /// It went on since, or is nothing that can be decided so.
    Refused,
    /// No such job.
    Unknown,
}
