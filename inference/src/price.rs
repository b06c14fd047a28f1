//! What models cost, as the operator says: `[prices."openai/gpt-4.1"] input = 2.0, output = 8.0`.

use serde::{Deserialize, Serialize};

use crate::Usage;

/// Tokens that a price is for.
const MILLION: f64 = 1_000_000.0;

baton_common::described! {
    /// The price of a model, in dollars for a million tokens.
    #[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Price {
        /// Of tokens it reads.
        pub input: f64,
        /// Of those it reads from its cache; as much as the others, without.
        pub cached: Option<f64>,
        /// Of tokens it writes.
        pub output: f64,
    }
}

impl Price {
    /// Whether it is one: no number is below nothing.
    pub(crate) fn is_sound(&self) -> bool {
        [self.input, self.cached.unwrap_or(0.0), self.output].iter().all(|price| price.is_finite() && *price >= 0.0)
    }

    /// What a call cost, in dollars.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> f64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let sum = count(fresh) * self.input
            + count(cached) * self.cached.unwrap_or(self.input)
            + count(usage.output_tokens) * self.output;
        sum / MILLION
    }
}

#[allow(clippy::cast_precision_loss, reason = "no call has 2^53 tokens")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_have_a_price_of_their_own() {
        let usage =
            Usage { input_tokens: 1_000_000, cached_tokens: 250_000, output_tokens: 500_000, reasoning_tokens: 7 };
        let price = Price { input: 2.0, cached: Some(1.0), output: 8.0 };
        assert!((price.of(&usage) - 5.75).abs() < 1e-9);
        assert!((Price { cached: None, ..price }.of(&usage) - 6.0).abs() < 1e-9);
        assert!(price.is_sound() && !Price { output: -1.0, ..price }.is_sound());
    }
}
