//! When a run must stop: activations and tokens; time is an event.

use baton_common::commit::NodeFailure;
use baton_common::{ErrorClass, Failure};

use crate::graph::Limits;
use crate::state::Control;

/// Holds a run's counts against its limits.
///
/// # Errors
/// `limit_exceeded`, which is the run's own failure and no node's.
pub(super) fn check(limits: &Limits, control: &Control) -> Result<(), NodeFailure> {
    if control.steps > limits.steps {
        return Err(exceeded(format!("more than {} activations of nodes", limits.steps)));
    }
    match limits.tokens {
        Some(most) if control.tokens > most => {
            Err(exceeded(format!("{} tokens, of which {most} were allowed", control.tokens)))
        }
        _ => Ok(()),
    }
}

/// The failure of a run that exceeded a limit.
pub(super) fn exceeded(message: String) -> NodeFailure {
    NodeFailure { node: String::new(), failure: Failure::new(ErrorClass::Permanent, "limit_exceeded", message) }
}
