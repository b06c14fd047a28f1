//! Every store adapter against the suite.

#![allow(clippy::unwrap_used, reason = "tests")]

mod memory;
mod redis;
mod sqlite;
