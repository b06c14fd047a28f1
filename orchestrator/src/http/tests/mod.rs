//! Real orchestrators over memory adapters, asked over real sockets.

mod calls;
mod client;
mod document;
mod hostile;
mod limits;
mod matrix;
mod parity;
mod past;
mod probes;
mod rig;
mod store;
mod watch;
