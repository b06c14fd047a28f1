//! From text to a validated graph.
pub(crate) mod names;
