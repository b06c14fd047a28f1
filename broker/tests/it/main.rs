//! What both brokers promise, and what each promises alone.

mod memory;
mod rabbit;
mod rabbit_faults;
