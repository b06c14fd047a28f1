//! SIGNAL and DELIVER: what other systems tell a thread, and the wait that takes it.
//!
//! A signal is kept at its thread. Whether it is the one a wait is for, an expression of
//! the graph says, so an orchestrator compares both and delivers; the store makes sure that
//! each signal is taken once and each wait ends once.

use super::Tail;
use crate::ids::{Actor, JobId, RunId, ThreadKey};
use crate::records::Body;

/// Tells a thread something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The thread.
    pub thread: ThreadKey,
    /// What a wait names.
    pub name: String,
    /// The sender's name for it: repeating it changes nothing.
    pub id: String,
    /// What it says, as JSON.
    pub value: Body,
    /// Who says so.
    pub actor: Actor,
}

/// What became of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalAnswer {
    /// It is kept. These runs wait for signals: look whether one is for them.
    Kept {
        /// Its number.
        number: u64,
        /// The runs.
        awaiting: Vec<RunId>,
    },
    /// It was sent before.
    Already,
    /// Too many wait to be taken.
    Full,
    /// No such thread.
    Unknown,
}

/// Ends a wait with a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliver {
    /// The wait.
    pub job: JobId,
    /// The signal's number at the root's thread.
    pub number: u64,
    /// [`crate::job::Outcome`] as JSON: its value.
    pub outcome: Body,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliverAnswer {
    /// The wait ended with it.
    Taken(Tail),
    /// It was taken before, or the wait has ended.
    Gone,
}
