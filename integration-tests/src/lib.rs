//! What is tested over several crates: the simulator, and clusters of real processes.
//!
//! Test code: it panics where a promise is broken.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "test code")]

pub mod bench;
pub mod chaos;
pub mod cluster;
pub mod e2e;
pub mod grpc;
pub mod simulator;
