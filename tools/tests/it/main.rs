//! What the built-in tools promise, each against real files, servers and children.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, like tests")]

mod artifacts;
mod debug;
mod documents;
mod files;
mod hostile;
mod outside;
mod support;
mod writers;
