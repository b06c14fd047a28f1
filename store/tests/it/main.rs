//! Every store adapter against the suite.

#![allow(clippy::unwrap_used, reason = "a failed helper fails its test")]

mod golden;
mod memory;
mod redis;
mod sqlite;
