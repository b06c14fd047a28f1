//! The wire and the routes against a real local HTTP server. What each provider computes
//! is tested beside its code.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod openai;
mod routes;
mod server;
