//! The control plane: runs graphs, keeps their state and hands jobs over.
//!
//! [`Orchestrator`] is the handle to everything: the driver that advances runs, the
//! publisher of job hints, the sweeper that finds what was left behind, the
//! [`baton_control::ControlPlane`] that workers ask, and the calls of [`api`]. Decisions
//! about graphs are `engine`'s, transitions are the store's. No tool and no model runs here.

pub mod api;
