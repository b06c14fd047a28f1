//! What the engine promises, seen from outside of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bombs;
mod builder;
mod step;
