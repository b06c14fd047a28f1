//! What both brokers promise, and what each promises alone.

#![allow(clippy::unwrap_used, reason = "a failed helper fails its test")]

mod load;
mod memory;
mod rabbit;
mod rabbit_cluster;
mod rabbit_faults;
mod rabbit_types;
