//! `cargo xtask bench cluster`: a real cluster beside its floors, in one run of one command.
//!
//! Baton is an orchestrator and a worker of the release build as processes of their own, over
//! private servers. The floors use the same kinds of servers with the same queue type and sync.
//! Each section has a file; how its figures look is up to [`table`] and [`plots`].
#![allow(clippy::print_stderr, reason = "a command that tells how far it is")]

mod fan_out;
mod floor_a;
mod graphs;
mod ground;
mod hop;
mod keys;
mod latency;
mod load;
mod machine;
mod plots;
mod steps;
mod suspended;
mod table;
mod tracing;
mod warm;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use baton_testbed::{Rabbit, RabbitOptions};
use serde::{Deserialize, Serialize};

pub use fan_out::FanOutFigures;
pub use ground::Setting;
pub use hop::{WORKER as FLOOR_WORKER, floor_worker};
pub use keys::KindFigures;
pub use latency::LatencyFigures;
pub use machine::{Fsync, Versions};
pub use steps::{Lone, StepsFigures};
pub use suspended::SuspendedFigures;
pub use tracing::TracingFigures;
pub use warm::WarmFigures;

use super::report::Machine;
use super::tape::Tape;

/// Turns of the run that the floors play again.
const TAPE_TURNS: usize = 200;
/// Runs at once.
const RUNS: [usize; 4] = [1, 64, 256, 1_024];

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Steps per second beside the floors, and the lone step.
    Steps,
    /// Latency at shares of the capacity.
    Latency,
    /// Runs that wait for a person.
    Suspended,
    /// Maps with a join.
    FanOut,
    /// The third run against the first.
    Warm,
    /// With traces and without.
    Tracing,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Steps, Self::Latency, Self::Suspended, Self::FanOut, Self::Warm, Self::Tracing];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Latency => "latency",
            Self::Suspended => "suspended",
            Self::FanOut => "fan-out",
            Self::Warm => "warm",
            Self::Tracing => "tracing",
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// Which sections.
    pub sections: Vec<Section>,
    /// How long each round is measured; the latency of a share three times as long.
    pub round: Duration,
    /// Rounds of Baton and its floors.
    pub rounds: usize,
    /// Runs at once.
    pub runs: Vec<usize>,
    /// Settings of the servers.
    pub settings: Vec<Setting>,
    /// Runs that are suspended.
    pub suspended: usize,
    /// Runs of each fan-out, and starts of the processes.
    pub repeats: usize,
}

impl ClusterPlan {
    /// Everything, under a quarter of an hour.
    #[must_use]
    pub fn full() -> Self {
        Self {
            sections: Section::ALL.to_vec(),
            round: Duration::from_secs(3),
            rounds: 3,
            runs: RUNS.to_vec(),
            settings: Setting::ALL.to_vec(),
            suspended: 100_000,
            repeats: 12,
        }
    }

    /// A look at everything, under three minutes: the figures are rougher.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            round: Duration::from_secs(1),
            rounds: 1,
            runs: vec![1, 256],
            suspended: 10_000,
            repeats: 4,
            ..Self::full()
        }
    }
}

/// Everything that was measured. The names of its fields do not change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The form of this report: 1.
    pub version: u32,
    /// Where.
    pub machine: Machine,
    /// With what.
    pub versions: Versions,
    /// Seconds it took.
    pub took_s: f64,
    /// Steps per second, and the lone step.
    pub steps: Vec<StepsFigures>,
    /// Latency at shares of the capacity.
    pub latency: Vec<LatencyFigures>,
    /// Suspended runs: as advised, and with the server's default.
    pub suspended: Vec<SuspendedFigures>,
    /// Fan-out and join.
    pub fan_out: Vec<FanOutFigures>,
    /// The third run against the first.
    pub warm: Option<WarmFigures>,
    /// With traces and without.
    #[serde(default)]
    pub tracing: Option<TracingFigures>,
}

/// Measures what the plan says.
///
/// # Errors
/// When a server or a program is missing, or something is not answered as it should.
pub async fn measure_cluster(plan: &ClusterPlan) -> anyhow::Result<ClusterReport> {
    let began = Instant::now();
    let machine = Machine::here();
    let rabbitmq = Rabbit::start(RabbitOptions::default())?.ctl(&["version"])?;
    let mut report = ClusterReport {
        version: 1,
        machine,
        versions: Versions::here(rabbitmq),
        took_s: 0.0,
        steps: Vec::new(),
        latency: Vec::new(),
        suspended: Vec::new(),
        fan_out: Vec::new(),
        warm: None,
        tracing: None,
    };
    for section in &plan.sections {
        match section {
            Section::Steps => {
                let tape = Arc::new(Tape::record(TAPE_TURNS).await?);
                let plan = steps::StepsPlan {
                    round: plan.round,
                    rounds: plan.rounds,
                    runs: plan.runs.clone(),
                    settings: plan.settings.clone(),
                };
                report.steps = steps::measure(&plan, &tape).await?;
            }
            Section::Latency => report.latency = latency::measure(&plan.settings, plan.round * 3).await?,
            Section::Suspended => {
                // What each costs does not depend on their number: a tenth shows the default.
                report.suspended.push(suspended::measure(plan.suspended, 2_048).await?);
                report.suspended.push(suspended::measure(plan.suspended / 10, 64).await?);
            }
            Section::FanOut => report.fan_out = fan_out::measure(plan.repeats).await?,
            Section::Warm => report.warm = Some(warm::measure(plan.repeats.div_ceil(3)).await?),
            Section::Tracing => report.tracing = Some(tracing::measure(plan.round, plan.rounds.max(3)).await?),
        }
    }
    report.took_s = began.elapsed().as_secs_f64();
    Ok(report)
}

impl ClusterReport {
    /// The report as tables in Markdown.
    #[must_use]
    pub fn tables(&self) -> String {
        table::all(self)
    }

    /// Draws what it holds as SVG files into that folder; their names.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn draw(&self, folder: &Path) -> anyhow::Result<Vec<String>> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let charts = plots::charts(self);
        for (name, svg) in &charts {
            std::fs::write(folder.join(name), svg).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(charts.into_iter().map(|(name, _)| name).collect())
    }
}

/// Tells how far it is.
fn progress(what: &str) {
    eprintln!("measuring {what}");
}
