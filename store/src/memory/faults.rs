//! Faults on purpose: what a simulator lets happen to a transition on its way.

use baton_common::transition::Op;

/// What happens to one transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It does not arrive; the caller is told that nothing is known.
    Lost,
    /// It is made, but the caller is told that nothing is known.
    ReplyLost,
    /// It is made, with pauses of so many milliseconds before and after.
    Delayed {
        /// Before it is made.
        before_ms: u64,
        /// Before the caller learns of it.
        after_ms: u64,
    },
}

/// Decides what happens to each transition.
pub trait Faults: Send + Sync {
    /// What happens to this one.
    fn fault(&self, op: &Op) -> Fault;
}

/// Lets everything through.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn fault(&self, _op: &Op) -> Fault {
        Fault::None
    }
}
