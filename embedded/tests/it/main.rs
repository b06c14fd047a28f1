//! The embedded cluster, end to end: real driver, store, broker, workers and tools.

mod rig;
mod runs;
mod takeover;
