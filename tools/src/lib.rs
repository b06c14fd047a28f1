//! The tools that ship with Baton, and the [`Tool`] trait that a team's own tools implement.
//!
//! Each tool has a file of its own with its schema. [`builtin`] makes those that the
//! configuration allows, and a [`Catalogue`] holds tools by name and checks arguments.
//! Claiming, leases and time limits of attempts are the worker's part.

mod args;
pub mod artifact;
pub mod catalogue;
pub mod child;
pub mod config;
pub mod debug;
pub mod doc_extract;
pub mod document;
pub mod file_list;
pub mod http_request;
pub mod media;
pub mod roots;
pub mod testing;
pub mod tool;
pub mod webhook;

pub use args::{blob_value, read_value};
pub use catalogue::Catalogue;
pub use config::{Config, builtin, builtin_with};
pub use tool::{Call, CpuTool, IoTool, JobBlobs, Pieces, Tool};
