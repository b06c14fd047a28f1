//! Whoever takes the spans of a process: which runs are kept, new ids, and the way out.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData};

/// Takes spans that have ended. It must not wait.
pub(crate) trait Sink: std::fmt::Debug + Send + Sync {
    fn take(&self, span: SpanData);

    /// Whether spans of that run are kept beside those that the ratio keeps.
    fn keeps(&self, run: u128) -> bool {
        let _ = run;
        false
    }
}

/// Where the spans of a process go.
#[derive(Debug)]
pub(crate) struct Tracer {
    sink: Box<dyn Sink>,
    /// Runs are kept whose hash is below.
    below: Option<u64>,
    scope: InstrumentationScope,
    closed: AtomicBool,
}

impl Tracer {
    /// Keeps that share of the runs, from 0 to 1.
    pub(crate) fn new(sink: impl Sink + 'static, ratio: f64) -> Self {
        let scope = InstrumentationScope::builder("baton").with_version(env!("CARGO_PKG_VERSION")).build();
        Self { sink: Box::new(sink), below: below(ratio), scope, closed: AtomicBool::new(false) }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// Takes no further spans.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn samples(&self, run: u128) -> bool {
        self.below.is_none_or(|below| mixed(run) < below) || self.sink.keeps(run)
    }

    pub(super) fn new_trace(&self) -> u128 {
        u128::from_be_bytes(RandomIdGenerator::default().new_trace_id().to_bytes())
    }

    pub(super) fn new_span(&self) -> u64 {
        u64::from_be_bytes(RandomIdGenerator::default().new_span_id().to_bytes())
    }

    pub(super) fn scope(&self) -> InstrumentationScope {
        self.scope.clone()
    }

    pub(super) fn ended(&self, span: SpanData) {
        if self.is_open() {
            self.sink.take(span);
        }
    }
}

/// The bound that keeps a share of all hashes; `None` keeps all.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of what there is, cut at its ends")]
fn below(ratio: f64) -> Option<u64> {
    (ratio < 1.0).then(|| (ratio.max(0.0) * u64::MAX as f64) as u64)
}

/// Spreads names that differ in few bits.
fn mixed(run: u128) -> u64 {
    let [high, low] = [(run >> 64) as u64, run as u64];
    let mut mixed = high ^ low.rotate_left(32);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nowhere;

    impl Sink for Nowhere {
        fn take(&self, _: SpanData) {}
    }

    #[test]
    fn a_ratio_keeps_that_share_of_the_runs_and_always_the_same_ones() {
        let kept = |ratio: f64| {
            let tracer = Tracer::new(Nowhere, ratio);
            (0..10_000_u128).filter(|run| tracer.samples(*run << 70 | *run)).collect::<Vec<_>>()
        };
        assert_eq!((kept(0.0).len(), kept(1.0).len()), (0, 10_000));
        let (tenth, half) = (kept(0.1), kept(0.5));
        assert!((800..1_200).contains(&tenth.len()), "{}", tenth.len());
        assert!((4_700..5_300).contains(&half.len()), "{}", half.len());
        assert!(tenth.iter().all(|run| half.contains(run)), "a larger share holds the smaller one");
        assert_eq!(tenth, kept(0.1));
    }
}
