//! The dice: every fault is drawn here, from one seed, and counted by its name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::checker::Checker;

/// Draws faults while they last.
pub(super) struct Chaos {
    rng: Mutex<StdRng>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    calm: AtomicBool,
    /// How hard this life is: a factor on every chance.
    severity: f64,
}

impl Chaos {
    /// The dice of a seed. Some lives are gentle, some are hard.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let severity = [0.3, 1.0, 1.0, 2.5][rng.random_range(0..4)];
        Self { rng: Mutex::new(rng), counts: Mutex::default(), calm: AtomicBool::new(false), severity }
    }

    /// No faults from now on.
    pub(super) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Whether faults are over.
    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether a fault of that name happens now, at a chance of `per_mille` thousandths.
    pub(super) fn strikes(&self, name: &'static str, per_mille: f64) -> bool {
        if self.is_calm() {
            return false;
        }
        let chance = (per_mille * self.severity / 1_000.0).min(0.9);
        let strikes = self.rng.lock().random_bool(chance);
        if strikes {
            *self.counts.lock().entry(name).or_default() += 1;
        }
        strikes
    }

    /// A number below `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.rng.lock().random_range(0..bound.max(1))
    }

    /// A pause in milliseconds: mostly short, now and then long while faults last.
    pub(super) fn pause_ms(&self) -> u64 {
        if self.strikes("delay", 20.0) { 50 + self.below(2_500) } else { self.below(4) }
    }

    /// How often each fault was made and each answer given.
    pub(super) fn census(&self, checker: &Checker) -> BTreeMap<String, u64> {
        let faults = self.counts.lock();
        let mut census: BTreeMap<String, u64> =
            faults.iter().map(|(name, count)| (format!("fault {name}"), *count)).collect();
        census.extend(checker.answers());
        census
    }
}
