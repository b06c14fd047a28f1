//! What a worker process offers as a whole: its binaries, and its tools in the order in
//! which a digest uses them. The hand-over with real planes is tested elsewhere.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod binaries;
mod digest;
mod memory;
