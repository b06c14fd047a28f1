//! Pauses that grow, with full jitter from a seed. Deciding what to repeat is left to
//! those who pause.

use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The worker's only source of randomness.
pub(crate) struct Dice(Mutex<StdRng>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// 64 bits.
    pub(crate) fn bits(&self) -> u64 {
        self.0.lock().random()
    }

    fn below(&self, bound: u64) -> u64 {
        self.0.lock().random_range(0..=bound)
    }
}

/// A growing pause.
pub(crate) struct Backoff<'a> {
    dice: &'a Dice,
    next_ms: u64,
    first_ms: u64,
    max_ms: u64,
}

impl<'a> Backoff<'a> {
    /// From `first_ms`, doubling up to `max_ms`.
    pub(crate) fn new(dice: &'a Dice, first_ms: u64, max_ms: u64) -> Self {
        let first_ms = first_ms.max(1);
        Self { dice, next_ms: first_ms, first_ms, max_ms: max_ms.max(first_ms) }
    }

    /// The next pause: between half of the current bound and the whole.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.next_ms;
        self.next_ms = bound.saturating_mul(2).min(self.max_ms);
        Duration::from_millis(bound / 2 + self.dice.below(bound.div_ceil(2)))
    }

    /// Waits for the next pause.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.next_ms = self.first_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_a_seed_repeats_them() {
        let pauses = |seed| {
            let dice = Dice::new(seed);
            let mut backoff = Backoff::new(&dice, 100, 1_000);
            (0..8).map(|_| backoff.next().as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
        assert!((50..=100).contains(&pauses(7)[0]) && (500..=1_000).contains(&pauses(7)[7]), "{:?}", pauses(7));
    }
}
