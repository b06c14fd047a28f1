//! When runs start by themselves: a schedule says when, and what is due of it at a moment.
//!
//! Pure: [`Spec`] is what a person wrote, [`Calendar`] gives its moments, [`Record`] is what
//! is kept of it and decides. The time comes from the store; storing the record, starting
//! runs and looking whether they are over is left to the orchestrator.

mod calendar;
mod cron;
mod fire;
mod look;
mod moment;
mod range;
mod record;
mod spec;
mod start;

pub use calendar::Calendar;
pub use cron::Cron;
pub use fire::{Fire, Kind, NAME_CHARS_MAX, REQUEST_CHARS_MAX, check_name, request_id};
pub use look::Rules;
pub use moment::{parse_moment, parse_span, print_moment, print_span};
pub use range::{BACKFILL_FIRES_MAX, Range};
pub use record::{Counts, Past, Paused, Record, Verdict};
pub use spec::{CatchUp, CatchUpPolicy, Overlap, Spec};

/// Why a schedule is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Error {
    /// What is wrong, as a phrase.
    pub cause: String,
    /// What helps, as a phrase.
    pub cure: String,
}

impl Error {
    pub(crate) fn new(cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cause: cause.into(), cure: cure.into() }
    }
}
