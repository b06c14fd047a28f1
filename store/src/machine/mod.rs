//! The transitions as pure Rust.
