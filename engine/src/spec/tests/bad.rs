//! Graphs that are refused.
