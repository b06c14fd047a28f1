//! The control plane over gRPC: its client, where it is, and the conversions that the
//! server uses too. What the answers mean is up to those who ask.

mod client;
pub mod convert;
pub mod endpoints;
#[cfg(test)]
mod round_trips;
mod transfers;
mod trust;

pub use client::GrpcControlPlane;
pub use endpoints::{Carrier, DEFAULT_ADDRESS, Endpoints, cause};
pub use trust::{Error as TrustError, Trust};
