//! When a run must stop: activations, tokens and cost; time is an event.

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
        return Err(exceeded(format!("more than {} activations of nodes: limits.steps", limits.steps)));
    }
    if let Some(most) = limits.tokens.filter(|most| control.tokens > *most) {
        return Err(exceeded(format!("{} tokens, of which {most} were allowed: limits.tokens", control.tokens)));
    }
    let cost = usd(control.cost_nano_usd);
    match limits.cost_usd {
        Some(most) if cost > most => {
            Err(exceeded(format!("a cost of {cost} US dollars, of which {most} were allowed: limits.cost_usd")))
        }
        _ => Ok(()),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a cost is no exact number in the limit either")]
fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}

/// The failure of a run that exceeded a limit.
pub(super) fn exceeded(message: String) -> NodeFailure {
    NodeFailure { node: String::new(), failure: Failure::new(ErrorClass::Permanent, "limit_exceeded", message) }
}
