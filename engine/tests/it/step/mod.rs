//! What `step` promises, over graphs as people write them.

mod ends;
mod folding;
mod joining;
mod opening;
mod random;
mod random_program;
mod restoring;
mod snapshots;
mod world;
