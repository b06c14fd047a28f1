//! Passing this process's failpoints, and what a failed one looks like here.

pub(crate) use baton_telemetry::drill::{Passed, point};

/// What a drill makes of a store call: nothing is known of what happened.
pub(crate) fn unknown() -> baton_store::Error {
    baton_store::Error::Unavailable("a drill says so".to_owned())
}
