//! The pure heart of Baton: what a graph does next.
//!
//! [`spec`] turns text into a validated [`graph::Graph`], [`builder`] calls into text, [`expr`] evaluates its
//! expressions and templates, and [`step`] is one function from a state and an event to
//! the next state and its effects. No clock, task, socket, random number or log line.

pub mod answer;
pub mod builder;
pub mod draw;
pub mod expr;
pub mod graph;
pub mod spec;
pub mod state;
pub mod step;
