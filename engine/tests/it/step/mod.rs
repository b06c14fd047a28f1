//! What `step` promises, over graphs as people write them.

mod approving;
mod children;
mod ends;
mod fitting;
mod folding;
mod joining;
mod long;
mod maps;
mod offering;
mod opening;
mod random;
mod random_outcome;
mod random_program;
mod random_run;
mod restoring;
mod resuming;
mod snapshots;
mod talking;
mod telling;
mod undoing;
mod waiting;
mod world;
