//! What both brokers promise, and what each promises alone.

#![allow(clippy::unwrap_used, reason = "a failed helper fails its test")]

mod memory;
mod rabbit;
mod rabbit_faults;
