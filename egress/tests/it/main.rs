//! What the client promises, against real servers on this machine.

mod answers;
mod limits;
mod redirects;
mod server;
mod targets;
