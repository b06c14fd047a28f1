//! Tests over several crates: the simulator, and real processes on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod apart;
mod backup;
mod beyond;
mod canaries;
mod chaos;
mod chart;
mod counts;
mod crash;
mod crash_embedded;
mod custom_worker;
mod dev;
mod forged;
mod growth;
mod large;
mod leftovers;
mod logs;
mod metrics;
mod mutual;
mod patience;
mod rig;
mod simulator;
mod tap;
mod tls;
mod traces;
mod weak_spots;
