//! Every store adapter against the suite.

mod memory;
mod redis;
mod sqlite;
