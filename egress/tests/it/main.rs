//! What the client promises, against real servers on this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, like tests")]

mod answers;
mod limits;
mod rebinding;
mod redirects;
mod server;
mod targets;
