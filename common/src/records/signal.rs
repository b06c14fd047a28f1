//! Signals: what other systems tell a thread, kept until a wait takes it.

use serde::{Deserialize, Serialize};

use super::Body;
use crate::Timestamp;
use crate::ids::JobId;

/// Signals of a thread that no wait has taken, at most. One that was taken stays, so that its
/// repetition is known, until so many came after it.
pub const SIGNALS_MAX: u32 = 1000;

/// A signal to a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Its place among the thread's signals, from 1.
    pub number: u64,
    /// The sender's name for it: repeating it changes nothing.
    pub id: String,
    /// What a wait names.
    pub name: String,
    /// When it came.
    pub at: Timestamp,
    /// What it says, as JSON.
    pub value: Body,
    /// The wait that took it.
    pub taken: Option<JobId>,
}
