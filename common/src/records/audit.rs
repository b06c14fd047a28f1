//! Audit entries: who did what to which run.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{Actor, RunId, Version};

/// Who did what to which run. Appended in the same commit as what it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Whose data.
    pub tenant: crate::TenantId,
    /// Who.
    pub actor: Actor,
    /// What: `submit`, `answer`, `cancel`.
    pub operation: String,
    /// To which run.
    pub run: RunId,
    /// To which part of it: an interrupt's id.
    pub subject: String,
    /// The run's version before.
    pub before: Version,
    /// The run's version after.
    pub after: Version,
    /// The answer it got.
    pub verdict: String,
}
