//! What the built-in tools promise, each against real files, servers and children.

mod artifacts;
mod debug;
mod documents;
mod files;
mod hostile;
mod outside;
mod support;
mod writers;
