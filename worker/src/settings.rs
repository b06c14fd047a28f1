//! Timings and bounds of a worker. Those of the hand-over itself (the lease) come from
//! the control plane with its welcome.

use std::path::PathBuf;

use baton_common::tool::{Priority, QueueClass, queue_name};

/// Every timing and bound, in milliseconds and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it runs.
    pub class: QueueClass,
    /// Jobs at once.
    pub slots: usize,
    /// Queues beyond those of the class: `cap.gpu`.
    pub extra_queues: Vec<String>,
    /// Whether it takes from the queues of its class at all.
    pub class_queues: bool,
    /// Claims in one call.
    pub claim_batch_max: usize,
    /// A claim, renewal or resume without an answer is repeated after this long.
    pub call_timeout_ms: u64,
    /// The first pause before a call is repeated; it doubles.
    pub backoff_ms: u64,
    /// The longest such pause.
    pub backoff_ms_max: u64,
    /// A full worker gives back what it prefetched after this long.
    pub full_pause_ms: u64,
    /// A message for a tool this worker does not have is given back after this long.
    pub foreign_pause_ms: u64,
    /// How often `Later` is asked again before the message is given back.
    pub later_tries_max: u32,
    /// A tool that was told to stop is left behind after this long.
    pub cancel_grace_ms: u64,
    /// Jobs may go on this long after a shutdown.
    pub drain_grace_ms: u64,
    /// Tries of a resume before the result goes to the spool.
    pub resume_tries: u32,
    /// The most JSON bytes that travel inline.
    pub inline_bytes_max: usize,
    /// The most JSON bytes of a result.
    pub result_bytes_max: usize,
    /// The most bytes of a result or a file that comes piece by piece.
    pub blob_bytes_max: u64,
    /// Where such content is set down on its way; the system's folder for such things without one.
    pub scratch: Option<PathBuf>,
    /// How much cpu threads yield to everything else on their machine (Linux only): 0 not at
    /// all, 19 all but the last.
    pub cpu_nice: u8,
}

impl Settings {
    /// The defaults of a class: 64 slots for io, one for each core for cpu.
    #[must_use]
    pub fn new(class: QueueClass) -> Self {
        let slots = match class {
            QueueClass::Io => 64,
            QueueClass::Cpu => cores(),
        };
        Self {
            class,
            slots,
            extra_queues: Vec::new(),
            class_queues: true,
            claim_batch_max: 64,
            call_timeout_ms: 5_000,
            backoff_ms: 100,
            backoff_ms_max: 5_000,
            full_pause_ms: 50,
            foreign_pause_ms: 1_000,
            later_tries_max: 5,
            cancel_grace_ms: 5_000,
            drain_grace_ms: 20_000,
            resume_tries: 2,
            inline_bytes_max: baton_common::payload::INLINE_BYTES_MAX,
            result_bytes_max: 64 * 1024 * 1024,
            blob_bytes_max: 1024 * 1024 * 1024,
            scratch: None,
            cpu_nice: 10,
        }
    }

    /// The queues it consumes, the most urgent first.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        let class = Priority::ALL.iter().map(|priority| queue_name(self.class, *priority));
        let mut queues: Vec<String> = class.filter(|_| self.class_queues).collect();
        for queue in &self.extra_queues {
            if !queues.contains(queue) {
                queues.push(queue.clone());
            }
        }
        let with_lanes = queues.into_iter().flat_map(|queue| {
            let lanes = baton_broker::lanes_of(&queue);
            std::iter::once(queue).chain(lanes)
        });
        with_lanes.collect()
    }

    /// Messages under way at once: as many as slots for io; for cpu one, since a message
    /// waiting here could run elsewhere.
    pub(crate) fn prefetch(&self) -> u16 {
        match self.class {
            QueueClass::Io => u16::try_from(self.slots).unwrap_or(u16::MAX).max(1),
            QueueClass::Cpu => 1,
        }
    }
}

/// Cores of this machine, at least one.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_may_take_from_named_queues_alone() {
        let named = |only: bool, extra: &[&str]| {
            let extra_queues = extra.iter().map(|queue| (*queue).to_owned()).collect();
            Settings { class_queues: !only, extra_queues, ..Settings::new(QueueClass::Io) }.queues()
        };
        assert_eq!(named(true, &["io.high", "cap.gpu"]), ["io.high", "io.high.t00", "io.high.t01", "cap.gpu"]);
        assert_eq!(named(false, &["cap.gpu"]).len(), 10);
        assert_eq!(named(false, &["io.low"]), named(false, &[]), "none twice");
    }
}
