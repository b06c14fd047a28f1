//! What the report shows, drawn: throughput over runs, latency over load, memory over
//! suspended runs, fan-out. How a chart looks is up to [`svg`].

mod svg;

use svg::{Axis, Chart, Series};

use super::table::machine_line;
use super::{ClusterReport, LatencyFigures, Setting, StepsFigures};

/// Names of files and what is in them.
pub(super) fn charts(report: &ClusterReport) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for setting in Setting::ALL {
        all.extend(throughput(report, setting));
    }
    all.extend(latency(report));
    all.extend(memory(report));
    all.extend(fan_out(report));
    all
}

fn series(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), points, dashed: false }
}

fn dashed(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), points, dashed: true }
}

fn throughput(report: &ClusterReport, setting: Setting) -> Option<(String, String)> {
    let own: Vec<&StepsFigures> = report.steps.iter().filter(|figures| figures.setting == setting.name()).collect();
    if own.is_empty() {
        return None;
    }
    let line =
        |of: &dyn Fn(&StepsFigures) -> f64| own.iter().map(|figures| (figures.runs as f64, of(figures))).collect();
    let chart = Chart {
        title: format!("Steps per second ({})", setting.name()),
        note: machine_line(&report.machine),
        x: Axis::log("runs at once", 4.0),
        y: Axis::linear("steps per second"),
        series: vec![
            dashed("floor A: two scripts, one message", line(&|figures| figures.floor_a_steps_s)),
            dashed("floor B: Baton's scripts, no engine", line(&|figures| figures.floor_b_steps_s)),
            series("Baton", line(&|figures| figures.baton_steps_s)),
        ],
    };
    let name = if setting == Setting::Always { "throughput-always.svg" } else { "throughput-everysec.svg" };
    Some((name.to_owned(), chart.svg()))
}

fn latency(report: &ClusterReport) -> Option<(String, String)> {
    if report.latency.is_empty() {
        return None;
    }
    let mut all = Vec::new();
    for setting in Setting::ALL {
        let own: Vec<&LatencyFigures> = report.latency.iter().filter(|line| line.setting == setting.name()).collect();
        let line = |of: &dyn Fn(&LatencyFigures) -> f64| -> Vec<(f64, f64)> {
            own.iter().map(|figures| (f64::from(figures.percent), of(figures))).collect()
        };
        if own.is_empty() {
            continue;
        }
        let name = |quantile: &str| format!("{quantile}, {}", setting.name());
        let one = |name: String, points| Series { name, points, dashed: setting == Setting::Always };
        all.push(one(name("p50"), line(&|figures| figures.p50_ms)));
        all.push(one(name("p95"), line(&|figures| figures.p95_ms)));
        all.push(one(name("p99"), line(&|figures| figures.p99_ms)));
    }
    let chart = Chart {
        title: "A run of one step, from its intended submit to its end told".to_owned(),
        note: machine_line(&report.machine),
        x: Axis::linear("percent of the capacity"),
        y: Axis::log("milliseconds", 10.0),
        series: all,
    };
    Some(("latency.svg".to_owned(), chart.svg()))
}

fn memory(report: &ClusterReport) -> Option<(String, String)> {
    let most = report.suspended.iter().max_by_key(|figures| figures.runs)?;
    let line =
        |of: &dyn Fn(&(usize, u64, u64)) -> f64| most.curve.iter().map(|at| (at.0 as f64, of(at) / 1e6)).collect();
    let state = most.state_bytes as f64;
    let chart = Chart {
        title: "Memory of runs that wait for a person".to_owned(),
        note: machine_line(&report.machine),
        x: Axis::linear("suspended runs"),
        y: Axis::linear("MB above the start"),
        series: vec![
            series("Redis", line(&|at| at.1 as f64)),
            dashed("of it the state of the runs", line(&|at| at.0 as f64 * state)),
            series("orchestrator", line(&|at| at.2 as f64)),
        ],
    };
    Some(("suspended.svg".to_owned(), chart.svg()))
}

fn fan_out(report: &ClusterReport) -> Option<(String, String)> {
    if report.fan_out.is_empty() {
        return None;
    }
    let points = report.fan_out.iter().map(|figures| (figures.items as f64, figures.p50_ms)).collect();
    let longest = report.fan_out.iter().map(|figures| (figures.items as f64, figures.longest_script_ms)).collect();
    let chart = Chart {
        title: "Fan-out and join".to_owned(),
        note: machine_line(&report.machine),
        x: Axis::log("jobs, all at once", 10.0),
        y: Axis::log("milliseconds", 10.0),
        series: vec![series("submit to end, median", points), dashed("longest script of Redis", longest)],
    };
    Some(("fan-out.svg".to_owned(), chart.svg()))
}
