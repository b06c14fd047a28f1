//! What other engines are weak at, told as stories over both planes: answers that race or
//! come late, several questions at once, several inputs on one thread, cancels under way,
//! and going on from a run's past.

mod addresses;
mod answers;
mod cancels;
mod large;
mod past;
mod progress;
mod replays;
mod turns;
