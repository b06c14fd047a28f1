//! A quota's limit as people write it: `concurrency 8`, `rate 100/s burst 20`,
//! `tokens 2000000/day`, `usd 12.50/month`, `runs 500`.

use std::fmt;
use std::str::FromStr;

use super::{BudgetPeriod, BudgetUnit, QuotaLimit};

/// The largest number a limit may name.
const MOST_MAX: u64 = 1_000_000_000_000;
const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// A text that names no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no limit: write `concurrency 8`, `rate 100/s burst 20`, `tokens 2000000/day`, `usd 12.50/month` or `runs 500`"
)]
pub struct NoLimit(String);

impl FromStr for QuotaLimit {
    type Err = NoLimit;

    fn from_str(text: &str) -> Result<Self, NoLimit> {
        let refused = || NoLimit(text.chars().take(80).collect());
        let words: Vec<&str> = text.split_whitespace().collect();
        let whole = |text: &str| text.parse().ok().filter(|number| *number <= MOST_MAX);
        let found = match words[..] {
            ["concurrency", most] => whole(most).map(|most| Self::Concurrency { most }),
            ["runs", most] => whole(most).map(|most| Self::Runs { most }),
            ["rate", rate] => rate_of(rate, None),
            ["rate", rate, "burst", burst] => rate_of(rate, Some(whole(burst).ok_or_else(refused)?)),
            ["tokens", budget] => budget_of(budget, BudgetUnit::Tokens, whole),
            ["usd", budget] => budget_of(budget, BudgetUnit::MicroUsd, micros),
            _ => None,
        };
        found.ok_or_else(refused)
    }
}

fn rate_of(text: &str, burst: Option<u64>) -> Option<QuotaLimit> {
    let (most, unit) = text.split_once('/')?;
    let per_ms = match unit {
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        _ => return None,
    };
    let most: u64 = most.parse().ok().filter(|most| *most <= 1_000_000)?;
    let burst = burst.unwrap_or(1).clamp(1, 1_000_000);
    Some(QuotaLimit::Rate { most, per_ms, burst })
}

fn budget_of(text: &str, unit: BudgetUnit, most: impl Fn(&str) -> Option<u64>) -> Option<QuotaLimit> {
    let (number, period) = text.split_once('/')?;
    let period = match period {
        "day" => BudgetPeriod::Day,
        "month" => BudgetPeriod::Month,
        "total" => BudgetPeriod::Total,
        _ => return None,
    };
    Some(QuotaLimit::Budget { most: most(number)?, unit, period })
}

/// Dollars with up to six digits behind the point.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 6 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|whole| *whole <= 1_000_000)?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    Some(whole * 1_000_000 + part)
}

impl fmt::Display for QuotaLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Concurrency { most } => write!(f, "concurrency {most}"),
            Self::Runs { most } => write!(f, "runs {most}"),
            Self::Rate { most, per_ms, burst } => {
                let unit = match per_ms {
                    MINUTE_MS => "m",
                    HOUR_MS => "h",
                    _ => "s",
                };
                write!(f, "rate {most}/{unit} burst {burst}")
            }
            Self::Budget { most, unit, period } => {
                match unit {
                    BudgetUnit::Tokens => write!(f, "tokens {most}")?,
                    BudgetUnit::MicroUsd => write!(f, "usd {}.{:06}", most / 1_000_000, most % 1_000_000)?,
                }
                f.write_str(match period {
                    BudgetPeriod::Day => "/day",
                    BudgetPeriod::Month => "/month",
                    BudgetPeriod::Total => "/total",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_reads_as_it_is_written() {
        for text in
            ["concurrency 8", "rate 100/s burst 20", "rate 3/h burst 1", "tokens 2000000/day", "usd 12.500000/total"]
        {
            assert_eq!(text.parse::<QuotaLimit>().map(|limit| limit.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(
            "usd 0.000001/month".parse::<QuotaLimit>().map(|limit| limit.to_string()).as_deref(),
            Ok("usd 0.000001/month")
        );
        for text in ["", "concurrency", "concurrency -1", "rate 5", "rate 5/d", "usd 1.0000001/day", "tokens 5/week"] {
            assert!(text.parse::<QuotaLimit>().is_err(), "{text}");
        }
    }
}
