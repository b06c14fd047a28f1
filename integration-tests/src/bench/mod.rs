//! Steps per second of a loop graph with one `debug.echo` job per step, next to a floor: the
//! same transitions and the same messages, recorded from a real run, without anything that
//! decides.
//!
//! Both go through the same probe over stores and brokers of the same kind, in alternating
//! rounds, so that a busy machine slows both. What the figures must be is left to readers.

mod bed;
mod cluster;
mod engine;
mod fairness;
mod floor;
mod graph;
mod planes;
mod probe;
mod report;
mod rounds;
mod tape;

pub use bed::{Bed, Kind};
pub use cluster::{
    ClusterPlan, ClusterReport, FLOOR_WORKER, FanOutFigures, Fsync, KindFigures, LatencyFigures, Lone, Section,
    Setting, StepsFigures, SuspendedFigures, TracingFigures, Versions, WarmFigures, floor_worker, measure_cluster,
};
pub use engine::{EngineFigures, EnginePlan, EngineReport, Nodes, Workload, measure_engine, print_engine};
pub use fairness::{FairnessFigures, FairnessPlan, fairness_table, measure_fairness};
pub use graph::{GRAPH, input};
pub use planes::Planes;
pub use probe::Probe;
pub use report::{Figures, Machine, print_table};
pub use rounds::{Plan, measure};
pub use tape::Tape;
