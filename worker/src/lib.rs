//! The data plane: takes jobs from queues, runs tools and models, hands results back.
//!
//! One delivery, from its arrival to its end:
//! [`intake`](Worker) takes it when a slot is free, `claim` asks the control plane for the
//! job, the message is acknowledged at the grant, `attempt` runs the tool with a time
//! limit and a token, `outcome` makes the result travel (inline or as a blob), `resume`
//! offers it until a final answer comes, and [`spool`] keeps it meanwhile if nobody
//! answers. Beside them `lease` renews what is held and `announce` keeps the worker
//! listed and finds out when the control plane is back.
//!
//! The library decides nothing by a wall clock or by the system's randomness: a seed and
//! tokio's time drive it, so that a simulator can run it in virtual time. A team builds a
//! worker of its own from [`process::main_with`] and what [`tool`] names. The store, graphs
//! and retries are left to the control plane.

mod again;
mod announce;
mod arrivals;
mod attempt;
mod backoff;
pub mod builtin;
pub mod chat;
pub mod check;
mod claim;
pub mod config;
mod held;
mod intake;
mod job;
mod job_blobs;
mod lease;
mod measure;
mod options;
mod outcome;
pub mod process;
mod reach;
mod resume;
pub mod settings;
pub mod spool;
pub mod status;
pub mod tool;
mod transfer;
pub mod wiring;
mod worker;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use baton_telemetry::drill as fail;
pub use builtin::builtin_tools;
pub use lease::{Connect, Renewal};
pub use settings::Settings;
pub use spool::{DiskSpool, MemorySpool, Spool};
pub use status::Status;
pub use worker::{CpuPool, Error, Parts, Worker};
