//! Quotas: how much of what may be used, by whom. Operators set them; what is used of them is
//! counted in meters of their own.

use serde::{Deserialize, Serialize};

use crate::{Hasher, TenantId, Timestamp};

/// A quota, as an operator set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Who set it: an installation's own tenant sets quotas for everybody, another for itself.
    pub owner: TenantId,
    /// Its name, one of its owner's.
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub scope: QuotaScope,
    /// How much.
    pub limit: QuotaLimit,
    /// What becomes of work beyond it.
    #[serde(default)]
    pub beyond: Beyond,
    /// Names its meters: a quota that was deleted and set again begins anew.
    pub serial: String,
    /// When it was set last.
    pub set_at: Timestamp,
}

/// Whose work a quota is about: all of these that are named must match. `*` matches every
/// name and gives each a meter of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaScope {
    /// Of that tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Calls of that tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Model calls over that route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Of runs that were submitted by that actor, which is what an API key acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Work that a quota may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Of which tool, where it is a job.
    pub tool: Option<&'a str>,
    /// Over which route, where it is a model call.
    pub route: Option<&'a str>,
    /// Who submitted its run.
    pub key: &'a str,
}

/// How much a quota allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum QuotaLimit {
    /// Jobs claimed at once.
    Concurrency {
        /// So many.
        most: u64,
    },
    /// Claims within a time, evenly, with bursts.
    Rate {
        /// So many.
        most: u64,
        /// In so many milliseconds.
        per_ms: u64,
        /// So many of them at once after a pause.
        burst: u64,
    },
    /// What model calls may use in a period.
    Budget {
        /// Tokens, or millionths of a US dollar.
        most: u64,
        /// Which of the two.
        unit: BudgetUnit,
        /// In each of which periods.
        period: BudgetPeriod,
    },
    /// Runs that have not ended.
    Runs {
        /// So many.
        most: u64,
    },
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Tokens of models, read and written.
    Tokens,
    /// Millionths of a US dollar.
    MicroUsd,
}

/// When a budget begins anew, in universal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// At midnight.
    Day,
    /// With the month.
    Month,
    /// Never.
    Total,
}

/// What becomes of work beyond a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// It waits in the store.
    #[default]
    Wait,
    /// It fails.
    Refuse,
}

impl Beyond {
    /// The name users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Refuse => "refuse",
        }
    }
}

impl QuotaScope {
    /// Which of the quota's meters counts that work; `None` where it is not about it.
    #[must_use]
    pub fn meter(&self, work: Work<'_>) -> Option<String> {
        let mut meter = String::new();
        let parts = [
            (&self.tenant, Some(work.tenant)),
            (&self.tool, work.tool),
            (&self.route, work.route),
            (&self.key, Some(work.key)),
        ];
        for (wanted, given) in parts {
            match (wanted.as_deref(), given) {
                (None, _) => {}
                (Some(_), None) => return None,
                (Some("*"), Some(given)) => {
                    meter.push('/');
                    meter.push_str(given);
                }
                (Some(wanted), Some(given)) if wanted != given => return None,
                (Some(_), Some(_)) => {}
            }
        }
        Some(meter)
    }
}

impl Quota {
    /// The meter that counts that work; `None` where the quota is not about it.
    #[must_use]
    pub fn meter(&self, work: Work<'_>) -> Option<String> {
        if self.scope.tenant.is_none() && self.owner != TenantId::local() && self.owner.as_str() != work.tenant {
            return None;
        }
        let meter = self.scope.meter(work)?;
        Some(Hasher::new().field("meter").field(&self.serial).field(meter).finish().to_string())
    }
}

impl BudgetPeriod {
    /// The period that holds `now`: its first moment, and the first of the next.
    #[must_use]
    pub fn around(self, now: Timestamp) -> (Timestamp, Timestamp) {
        const DAY_MS: i64 = 86_400_000;
        let day = now.0.div_euclid(DAY_MS);
        match self {
            Self::Day => (Timestamp(day * DAY_MS), Timestamp((day + 1) * DAY_MS)),
            Self::Month => {
                let (first, length) = month_of(day);
                (Timestamp(first * DAY_MS), Timestamp((first + length) * DAY_MS))
            }
            Self::Total => (Timestamp(0), Timestamp(i64::MAX >> 11)),
        }
    }
}

/// The first day of the month that a day since 1970 lies in, and the month's length.
fn month_of(day: i64) -> (i64, i64) {
    // Counted in years that begin with March, so that the odd day comes last.
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let in_month = of_year - (153 * month + 2) / 5;
    let leap = (year + 1) % 4 == 0 && ((year + 1) % 100 != 0 || (year + 1) % 400 == 0);
    let length = match month {
        11 if leap => 29,
        11 => 28,
        1 | 3 | 6 | 8 => 30,
        _ => 31,
    };
    (day - in_month, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_day() {
        // 2024-02-29, 2026-11-21, 2100-02-28, 1970-01-01.
        for (day, first, length) in [(19_782, 19_754, 29), (20_778, 20_758, 30), (47_540, 47_513, 28), (0, 0, 31)] {
            assert_eq!(month_of(day), (first, length), "{day}");
        }
        let (from, until) = BudgetPeriod::Month.around(Timestamp(20_778 * 86_400_000 + 5));
        assert_eq!((from.0, until.0), (20_758 * 86_400_000, 20_788 * 86_400_000));
    }

    #[test]
    fn a_star_gives_each_name_a_meter_of_its_own() {
        let scope = QuotaScope { tenant: Some("*".into()), tool: Some("chat".into()), ..QuotaScope::default() };
        let work = |tenant, tool| Work { tenant, tool: Some(tool), route: None, key: "k" };
        assert_eq!(scope.meter(work("a", "chat")).as_deref(), Some("/a"));
        assert_eq!(scope.meter(work("a", "echo")), None);
        let routed = QuotaScope { route: Some("*".into()), ..QuotaScope::default() };
        assert_eq!(routed.meter(work("a", "chat")), None, "it is about model calls only");
        assert_eq!(QuotaScope::default().meter(work("a", "x")).as_deref(), Some(""));
    }
}
