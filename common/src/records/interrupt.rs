//! Interrupts: questions to people, each with one decision.

use serde::{Deserialize, Serialize};

use super::Body;
use crate::Timestamp;
use crate::ids::{Actor, InterruptId, JobId};

/// Where a question stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterruptState {
    /// Nobody has answered.
    Open,
    /// One decision, for ever.
    Answered {
        /// The decision, as JSON.
        decision: Body,
        /// Who decided.
        actor: Actor,
        /// When.
        at: Timestamp,
    },
    /// Not answered in time.
    Expired,
    /// Its task ended otherwise.
    Withdrawn,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    /// H(run, gen, group, index, ordinal).
    pub id: InterruptId,
    /// The task it belongs to.
    pub job: JobId,
    /// Where it stands.
    pub state: InterruptState,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// The question, as JSON ([`crate::commit::Question`]).
    pub question: Body,
}
