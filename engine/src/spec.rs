//! From text to a validated graph.
