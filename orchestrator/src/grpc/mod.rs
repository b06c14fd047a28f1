//! The orchestrator over gRPC: what callers, operators and workers ask, with health,
//! reflection and a bounded end.
//!
//! Protobuf types stay in this folder; what a call does is [`crate::api`]'s and the
//! control plane's to decide, who may make it is [`crate::auth`]'s.

mod admission;
mod archive;
mod blobs;
mod convert;
mod graphs;
mod history;
mod migration;
mod operate;
mod operations;
mod plane;
mod quotas;
mod runs;
mod schedules;
mod server;
mod status;
#[cfg(test)]
mod tests;
mod transfer;

pub use crate::Services;
pub use server::{Error, serve};
