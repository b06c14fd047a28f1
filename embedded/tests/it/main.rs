//! The embedded cluster, end to end: real driver, store, broker, workers and tools.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, like tests")]

mod rehearsal;
mod rig;
mod runs;
mod takeover;
mod talking;
