//! Results kept under a name, and who may make them.

use serde::{Deserialize, Serialize};

use super::Body;
use crate::Timestamp;
use crate::ids::JobId;

/// Who holds a key, or what it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Reserved by a job that does the work.
    Reserved(JobId),
    /// Done: [`crate::job::Outcome`] as JSON.
    Done(Body),
}

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Reserved or done.
    pub state: KeyState,
    /// From then on it is free, as if it were not there.
    pub until: Timestamp,
}
