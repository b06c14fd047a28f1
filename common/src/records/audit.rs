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
    /// Its place in its partition's log, from 1; 0 in entries that were written before there
    /// was a chain.
    #[serde(default, skip_serializing_if = "nothing")]
    pub number: u64,
    /// The link of the entry before it; empty where it is the first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prior: String,
}

/// Where a partition's log ends: how many entries it was given, and the link of the last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last entry's number.
    pub number: u64,
    /// Its link.
    pub link: String,
}

fn nothing(number: &u64) -> bool {
    *number == 0
}
