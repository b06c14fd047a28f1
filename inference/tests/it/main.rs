//! The wire and the routes against a real local HTTP server. What each provider computes
//! is tested beside its code.

mod openai;
mod routes;
mod server;
