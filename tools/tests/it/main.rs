//! What the built-in tools promise, each against real files, servers and children.

mod artifacts;
mod debug;
mod files;
mod support;
