//! The worker's loop, in virtual time unless threads are what is tested.

mod attempts;
mod drills;
mod hand_over;
mod outages;
mod threads;
pub(crate) mod tools;
mod traces;
