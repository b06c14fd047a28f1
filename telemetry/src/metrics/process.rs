//! What the process itself uses, as Linux tells it; nothing elsewhere.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::words;

/// Ticks of Linux' accounts in a second, on every machine it runs on.
const TICKS: f64 = 100.0;

/// Reads it whenever somebody asks.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        if let Some(bytes) = memory_bytes() {
            let gauge = ConstGauge::new(bytes);
            let metric = &words::MEMORY;
            gauge.encode(encoder.encode_descriptor(metric.name, metric.help, None, gauge.metric_type())?)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let name = words::CPU.name.trim_end_matches("_total");
            counter.encode(encoder.encode_descriptor(name, words::CPU.help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn memory_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kib| kib * 1_024)
}

/// The name may hold blanks and brackets: fields are counted from its end on.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}
