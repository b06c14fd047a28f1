//! The report as tables in Markdown. A figure that waits for the disk stands beside the disk's
//! own; a bar that is missed says so.

use std::fmt::Write as _;

use super::super::report::Machine;
use super::{
    ClusterReport, FanOutFigures, Fsync, LatencyFigures, StepsFigures, SuspendedFigures, TracingFigures, Versions,
    WarmFigures,
};

/// All sections that were measured.
pub(super) fn all(report: &ClusterReport) -> String {
    let ClusterReport { machine, versions, took_s, .. } = report;
    let Versions { baton, redis, rabbitmq } = versions;
    let mut text = format!("{machine}\nBaton {baton}, Redis {redis}, RabbitMQ {rabbitmq}; measured in {took_s:.0} s\n");
    let mut section = |lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("\n{}\n", lines.join("\n"));
        }
    };
    section(steps(&report.steps));
    section(lone(&report.steps));
    section(latency(&report.latency));
    section(suspended(&report.suspended));
    report.suspended.iter().for_each(|figures| section(kinds(figures)));
    section(fan_out(&report.fan_out));
    section(report.warm.iter().flat_map(warm).collect());
    section(report.tracing.iter().flat_map(tracing).collect());
    text
}

fn tracing(figures: &TracingFigures) -> Vec<String> {
    let TracingFigures { runs, share, off_steps_s, on_steps_s, ratios, cost, met: is_met } = figures;
    let ratios: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.3}")).collect();
    let (share, cost, ratios) = (share * 100.0, cost * 100.0, ratios.join(" "));
    let line = format!(
        "| {runs} | {share:.0} % | {off_steps_s:.0} | {on_steps_s:.0} | {cost:.1} % | {ratios} | {} |",
        met(Some(*is_met))
    );
    headed(
        "| runs | traced | without steps/s | with steps/s | cost | of rounds | at most 5 % |",
        "|--:|--:|--:|--:|--:|---|---|",
        [line].into_iter(),
    )
}

fn met(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "–",
    }
}

fn disk(fsync: Option<Fsync>) -> String {
    fsync.map_or("–".to_owned(), |Fsync { p50_ms, p99_ms }| format!("{p50_ms:.2} / {p99_ms:.2}"))
}

fn steps(all: &[StepsFigures]) -> Vec<String> {
    let line = |figures: &StepsFigures| {
        let StepsFigures { setting, runs, floor_a_steps_s, floor_b_steps_s, baton_steps_s, ratio, .. } = figures;
        let ratios: Vec<String> = figures.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let [orchestrator, worker, redis] = figures.cpu_us;
        let bar = if figures.lone.is_some() { None } else { figures.met };
        format!(
            "| {setting} | {runs} | {floor_a_steps_s:.0} | {floor_b_steps_s:.0} | {baton_steps_s:.0} | {ratio:.2} | {} | {} \
             | {orchestrator:.0} + {worker:.0} + {redis:.0} | {:.2} | {} |",
            ratios.join(" "),
            met(bar),
            figures.scripts_per_step,
            disk(figures.fsync),
        )
    };
    headed(
        "| servers | runs | floor A steps/s | floor B steps/s | Baton steps/s | of floor B | of rounds | at least 0.6 \
         | cpu µs: orchestrator + worker + Redis | scripts per step | fsync p50 / p99 ms |",
        "|---|--:|--:|--:|--:|--:|---|---|---|--:|---|",
        all.iter().map(line),
    )
}

fn lone(all: &[StepsFigures]) -> Vec<String> {
    let line = |figures: &StepsFigures| {
        let lone = figures.lone.as_ref()?;
        Some(format!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} |",
            figures.setting,
            lone.floor_a_ms,
            lone.floor_b_ms,
            lone.floor_b_hop_ms,
            lone.baton_ms,
            lone.ratio,
            met(figures.met),
            disk(figures.fsync),
        ))
    };
    headed(
        "| a lone step | floor A ms | floor B ms | floor B with its hop ms | Baton ms | of floor B with its hop \
         | at most 1.5 | fsync p50 / p99 ms |",
        "|---|--:|--:|--:|--:|--:|---|---|",
        all.iter().filter_map(line),
    )
}

fn latency(all: &[LatencyFigures]) -> Vec<String> {
    let line = |figures: &LatencyFigures| {
        let LatencyFigures { setting, capacity_runs_s, percent, offered_runs_s, runs, p50_ms, p95_ms, p99_ms, fsync } =
            figures;
        format!(
            "| {setting} | {capacity_runs_s:.0} | {percent} % | {offered_runs_s:.0} | {runs} | {p50_ms:.1} | {p95_ms:.1} | {p99_ms:.1} | {} |",
            disk(*fsync)
        )
    };
    headed(
        "| servers | capacity runs/s | of it | runs/s offered | runs | p50 ms | p95 ms | p99 ms | fsync p50 / p99 ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
        all.iter().map(line),
    )
}

fn suspended(all: &[SuspendedFigures]) -> Vec<String> {
    let line = |figures: &SuspendedFigures| {
        let SuspendedFigures { runs, listpack_value, redis_bytes, beside_bytes, state_bytes, .. } = figures;
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let (idle, held) = (mb(figures.idle_bytes), mb(figures.held_bytes));
        format!(
            "| {runs} | {listpack_value} | {redis_bytes:.0} | {state_bytes} | {beside_bytes:.0} | {idle:.1} | {held:.1} | {} | {:.0} \
             | {:.1} | {:.1} | {:.1} |",
            met(Some(figures.met)),
            figures.submits_s,
            figures.list_ms,
            figures.inbox_ms,
            figures.answer_ms,
        )
    };
    headed(
        "| suspended runs | hash-max-listpack-value | bytes each in Redis | state | beside it, without events \
         | orchestrator idle MB | with them MB | at most 2048 bytes and 50 MB more | submits/s | list 50 ms \
         | 50 questions ms | answer one ms |",
        "|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|",
        all.iter().map(line),
    )
}

fn kinds(figures: &SuspendedFigures) -> Vec<String> {
    let line = |kind: &super::KindFigures| format!("| {} | {:.2} | {:.0} |", kind.kind, kind.keys, kind.bytes);
    let head = format!(
        "| keys, with hash-max-listpack-value {} | keys for each run | bytes for each run |",
        figures.listpack_value
    );
    headed(&head, "|---|--:|--:|", figures.kinds.iter().map(line))
}

fn fan_out(all: &[FanOutFigures]) -> Vec<String> {
    let line = |figures: &FanOutFigures| {
        let FanOutFigures { items, p50_ms, least_ms, most_ms, runs, longest_script_ms, .. } = figures;
        format!(
            "| {items} | {p50_ms:.1} | {least_ms:.1} | {most_ms:.1} | {runs} | {} | {longest_script_ms:.2} |",
            met(figures.met)
        )
    };
    headed(
        "| fan-out of | p50 ms | least ms | most ms | runs | at most 40 ms | longest script ms |",
        "|--:|--:|--:|--:|--:|---|--:|",
        all.iter().map(line),
    )
}

fn warm(figures: &WarmFigures) -> Vec<String> {
    let WarmFigures { turns, starts, first_ms, third_ms, ratio } = figures;
    headed(
        "| turns of each run | starts | first run ms | third run ms | third over first |",
        "|--:|--:|--:|--:|--:|",
        [format!("| {turns} | {starts} | {first_ms:.1} | {third_ms:.1} | {ratio:.2} |")].into_iter(),
    )
}

/// Lines under a head; nothing without lines.
fn headed(head: &str, rule: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = vec![head.to_owned(), rule.to_owned()];
    all.extend(lines);
    if all.len() == 2 { Vec::new() } else { all }
}

/// A machine in words, for the foot of a chart.
pub(super) fn machine_line(machine: &Machine) -> String {
    let mut line = String::new();
    let _ = write!(line, "{} cores of {}, load {} at the start", machine.cores, machine.model, machine.load);
    line
}
