//! The control plane: runs graphs, keeps their state and hands jobs over.
//!
//! [`Orchestrator`] is the handle to everything: the driver that advances runs, the
//! publisher of job hints, the sweeper that finds what was left behind, the
//! [`baton_control::ControlPlane`] that workers ask, and the calls of [`api`]. Decisions
//! about graphs are `engine`'s, transitions are the store's. No tool and no model runs here.

mod about;
pub mod api;
mod archive;
mod arrivals;
pub mod auth;
mod clock;
mod collector;
pub mod compute;
mod driver;
mod envelope;
mod fail;
mod graphs;
pub mod grpc;
pub mod http;
mod keys;
mod lanes;
mod language;
mod large;
pub mod listener;
mod load;
mod lru;
mod marks;
mod measure;
mod ops;
mod orchestrator;
mod plane;
pub mod process;
mod progress;
mod publisher;
mod quotas;
mod remembered;
mod schedules;
mod seats;
mod services;
pub mod settings;
mod since;
mod sweeper;
#[cfg(test)]
mod testing;
mod traces;
mod values;
mod watchers;
mod why;
pub mod wiring;

pub use compute::Compute;
pub use orchestrator::{Orchestrator, Parts};
pub use services::Services;
pub use settings::Settings;
