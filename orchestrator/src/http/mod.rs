//! The orchestrator over HTTP and JSON, for callers without a gRPC client: the same calls,
//! the same keys and the same errors, watching as server-sent events, and the two probes.
//!
//! A call is one entry of `routes::ROUTES` and one function: who may make it, what its
//! query and body hold and how it is described in `/openapi.json` stand there. What a call
//! does is [`crate::api`]'s to decide, who may make it is [`crate::auth`]'s.

mod archive;
mod blobs;
mod codes;
mod dispatch;
mod fields;
mod graphs;
mod history;
mod jobs;
mod keys;
mod openapi;
mod operate;
mod operations;
mod origin;
mod probes;
mod quotas;
mod refused;
mod route;
mod routes;
mod runs;
mod schedules;
mod server;
mod sse;
#[cfg(test)]
mod tests;
mod view;

pub use server::serve;
