//! The tools that ship with Baton, and the [`Tool`] trait that a team's own tools implement.

pub mod tool;

pub use tool::{Call, CpuTool, IoTool, JobBlobs, Tool};
