//! The figures of a measurement, and how they are shown.
#![allow(clippy::print_stdout, reason = "what the bench prints")]

use serde::{Deserialize, Serialize};

use super::bed::Kind;

/// What one side of a round showed.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) steps: u64,
    pub(super) seconds: f64,
    /// Of this process alone: servers are not in it.
    pub(super) cpu: f64,
    pub(super) marks: u64,
    pub(super) took_ms: Vec<f64>,
}

impl Side {
    fn rate(&self) -> f64 {
        self.steps as f64 / self.seconds
    }
}

/// A pair of rounds, one right after the other.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) floor: Side,
    pub(super) baton: Side,
}

/// What a measurement showed: medians over its rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// `memory`, `sqlite`, `redis+rabbitmq`.
    pub store: &'static str,
    /// Runs at once.
    pub runs: usize,
    /// Steps per second of the floor.
    pub floor_steps_s: f64,
    /// Steps per second of Baton.
    pub baton_steps_s: f64,
    /// Baton over floor: the median of the rounds' ratios.
    pub ratio: f64,
    /// The ratio of each round.
    pub ratios: Vec<f64>,
    /// What this process computes for a step of the floor, in microseconds of a core.
    pub floor_cpu_us: f64,
    /// What it computes for one of Baton's.
    pub baton_cpu_us: f64,
    /// Marks per step that Baton wrote; the floor writes none.
    pub marks_per_step: f64,
    /// A lone step of Baton, in milliseconds: median and 99th percentile.
    pub baton_ms: Option<(f64, f64)>,
    /// A lone step of the floor.
    pub floor_ms: Option<(f64, f64)>,
}

impl Figures {
    pub(super) fn of(kind: Kind, runs: usize, rounds: &[Round]) -> Self {
        let ratios: Vec<f64> = rounds.iter().map(|round| round.baton.rate() / round.floor.rate()).collect();
        let (steps, marks) =
            rounds.iter().fold((0, 0), |(steps, marks), round| (steps + round.baton.steps, marks + round.baton.marks));
        let took = |side: fn(&Round) -> &Side| {
            let all: Vec<f64> = rounds.iter().flat_map(|round| side(round).took_ms.iter().copied()).collect();
            (!all.is_empty()).then(|| (quantile(&all, 0.5), quantile(&all, 0.99)))
        };
        let cpu_us = |side: fn(&Round) -> &Side| {
            let each = rounds.iter().map(|round| 1e6 * side(round).cpu / side(round).steps.max(1) as f64);
            quantile(&each.collect::<Vec<_>>(), 0.5)
        };
        Self {
            store: kind.name(),
            runs,
            floor_cpu_us: cpu_us(|round| &round.floor),
            baton_cpu_us: cpu_us(|round| &round.baton),
            floor_steps_s: quantile(&rounds.iter().map(|round| round.floor.rate()).collect::<Vec<_>>(), 0.5),
            baton_steps_s: quantile(&rounds.iter().map(|round| round.baton.rate()).collect::<Vec<_>>(), 0.5),
            ratio: quantile(&ratios, 0.5),
            ratios,
            marks_per_step: marks as f64 / steps.max(1) as f64,
            baton_ms: took(|round| &round.baton),
            floor_ms: took(|round| &round.floor),
        }
    }
}

/// The value below which a share `at` of the values lies.
pub(super) fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1)) as f64 * at;
    sorted.get(place.round() as usize).copied().unwrap_or(f64::NAN)
}

/// The machine that measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: usize,
    /// The processor.
    pub model: String,
    /// The kernel.
    pub kernel: String,
    /// Processes that wanted a core over the last minute, when the bench began.
    pub load: String,
    /// `release` or `debug`.
    pub build: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            model: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cores, model, kernel, load, build } = self;
        write!(f, "{cores} cores of {model}, Linux {kernel}, load {load} at the start, {build} build")
    }
}

/// Prints what was measured.
pub fn print_table(machine: &Machine, all: &[Figures]) {
    println!("{machine}\n");
    println!(
        "| store | runs | floor steps/s | Baton steps/s | ratio | of rounds | lone step p50 / p99 ms | floor's | cpu µs | floor's |"
    );
    println!("|---|--:|--:|--:|--:|---|---|---|--:|--:|");
    for figures in all {
        let Figures { store, runs, floor_steps_s, baton_steps_s, ratio, ratios, .. } = figures;
        let Figures { baton_cpu_us, floor_cpu_us, .. } = figures;
        let ratios: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let ms = |pair: Option<(f64, f64)>| pair.map_or("–".to_owned(), |(p50, p99)| format!("{p50:.2} / {p99:.2}"));
        println!(
            "| {store} | {runs} | {floor_steps_s:.0} | {baton_steps_s:.0} | {ratio:.2} | {} | {} | {} | {baton_cpu_us:.0} | {floor_cpu_us:.0} |",
            ratios.join(" "),
            ms(figures.baton_ms),
            ms(figures.floor_ms),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_values() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.99), 3.0);
    }
}
