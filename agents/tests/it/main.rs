//! The graphs that agents become, seen from outside: that they read, and what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod kinds;
mod skills;
mod tools;
