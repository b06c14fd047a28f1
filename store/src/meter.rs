//! Meters: what is used of quotas. Each lies by itself, outside partitions, and is not one with
//! any transition: a reservation carries its lease's end, so that what a crash leaves behind
//! comes back by itself.
//!
//! [`MeterRow::act`] states what each act does; the memory and SQLite adapters call it, and
//! the Redis script is held to it by `suite::meters`. Which quotas there are, and which meters
//! they name, is left to callers.

use std::collections::BTreeMap;

use baton_common::Timestamp;
use serde::{Deserialize, Serialize};

/// Whoever waits is told to ask again within this time, in milliseconds: a quota that is
/// raised is noticed by then.
pub const ASK_AGAIN_MS: u64 = 30_000;
/// Where many wait, each of them makes that time longer by so many milliseconds, so that no
/// more than twenty ask in a second ...
const ASK_EACH_MS: u64 = 50;
/// ... up to this time.
const ASK_AGAIN_MS_MAX: u64 = 300_000;
/// The first guess at the time between two ends, in milliseconds.
const GAP_MS: u64 = 100;
/// Ends are believed to follow each other within this time, in milliseconds.
const GAP_MS_MAX: u64 = 10_000;
/// What was reserved of a budget may be settled this long after its lease, in milliseconds.
const LATE_MS: u64 = 24 * 3_600_000;
/// Who waits and did not ask again for this long waits no more, in milliseconds.
const WAITED_MS: u64 = 60_000;

/// How much a meter allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterLimit {
    /// Reservations at once.
    Held {
        /// So many.
        most: u64,
    },
    /// Reservations within a time.
    Rate {
        /// So many.
        most: u64,
        /// In so many milliseconds.
        per_ms: u64,
        /// So many at once after a pause.
        burst: u64,
    },
    /// What reservations used when they were settled, in a period.
    Budget {
        /// So much.
        most: u64,
        /// The period began then.
        from: Timestamp,
        /// The next begins then.
        until: Timestamp,
    },
}

/// What is done to a meter. Repeating any of them with the same holder changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeterAct {
    /// Reserves.
    Take {
        /// For whom: an attempt, or a run.
        holder: String,
        /// Who waits where there is no room: the job of all its attempts.
        waiter: String,
        /// How much there is.
        limit: MeterLimit,
        /// The reservation ends by itself after so many milliseconds.
        lease_ms: u64,
        /// Spreads those that are told to come again.
        jitter: u16,
    },
    /// Prolongs a reservation.
    Prolong {
        /// Whose.
        holder: String,
        /// By so many milliseconds from now.
        lease_ms: u64,
    },
    /// Ends a reservation.
    Settle {
        /// Whose.
        holder: String,
        /// What it used.
        used: u64,
    },
    /// Ends a reservation as if it had never been.
    Undo {
        /// Whose.
        holder: String,
        /// What it was taken of.
        limit: MeterLimit,
    },
    /// Changes nothing.
    Look {
        /// Whether this one waits.
        waiter: Option<String>,
        /// Holders to name, those that took first first.
        holders: u32,
        /// But for so many of the first.
        beyond: u32,
    },
}

/// What an act led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metered {
    /// It is reserved.
    Taken,
    /// There is no room: ask again then.
    Full(Timestamp),
    /// Whether something changed.
    Changed(bool),
    /// What there is.
    Seen(MeterSeen),
}

/// A meter as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeterSeen {
    /// Reservations whose lease is not over.
    pub held: u64,
    /// Who waits.
    pub waiting: u64,
    /// What was settled in the period it counts.
    pub used: u64,
    /// When the waiter that was asked for may ask again.
    pub waits_until: Option<Timestamp>,
    /// Some holders.
    pub holders: Vec<String>,
}

/// A meter's row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MeterRow {
    held: BTreeMap<String, i64>,
    waiting: BTreeMap<String, i64>,
    /// Of a rate: until then its reservations reach, in microseconds.
    reached: u64,
    /// Until then moments were promised: microseconds of a rate, else milliseconds.
    promised: u64,
    gap_ms: u64,
    ended_at: u64,
    most: u64,
    spent: u64,
    settled: u64,
    period: u64,
}

impl MeterRow {
    /// Does it.
    pub fn act(&mut self, act: &MeterAct, now: Timestamp) -> Metered {
        match act {
            MeterAct::Take { holder, waiter, limit, lease_ms, jitter } => {
                match self.take(holder, *limit, now, *lease_ms, *jitter) {
                    None => {
                        self.waiting.remove(waiter);
                        Metered::Taken
                    }
                    Some(at) => {
                        self.waiting.retain(|_, until| *until > now.0 - ms(WAITED_MS));
                        self.waiting.insert(waiter.clone(), at.0);
                        Metered::Full(at)
                    }
                }
            }
            MeterAct::Prolong { holder, lease_ms } => {
                let until = self.held.get_mut(holder);
                let known = until.is_some();
                if let Some(until) = until {
                    *until = now.plus_ms(*lease_ms).0;
                }
                Metered::Changed(known)
            }
            MeterAct::Settle { holder, used } => Metered::Changed(self.settle(holder, *used, now)),
            MeterAct::Undo { holder, limit } => {
                let known = self.held.remove(holder).is_some();
                if let (true, MeterLimit::Rate { most, per_ms, .. }) = (known, limit) {
                    self.reached = self.reached.saturating_sub(interval_us(*most, *per_ms));
                }
                Metered::Changed(known)
            }
            MeterAct::Look { waiter, holders, beyond } => {
                Metered::Seen(self.seen(waiter.as_deref(), *beyond, *holders, now))
            }
        }
    }

    /// Whether there is nothing in it worth a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(
        &mut self,
        holder: &str,
        limit: MeterLimit,
        now: Timestamp,
        lease_ms: u64,
        jitter: u16,
    ) -> Option<Timestamp> {
        let kept_since = match limit {
            MeterLimit::Budget { .. } => now.0 - ms(LATE_MS),
            _ => now.0,
        };
        self.held.retain(|_, until| *until > kept_since);
        let again = self.held.get(holder).is_some_and(|until| *until > now.0);
        let refused = if again { None } else { self.refused(limit, now, jitter) };
        if refused.is_none() {
            self.held.insert(holder.to_owned(), now.plus_ms(lease_ms).0);
        }
        refused
    }

    /// When to ask again, where there is no room.
    fn refused(&mut self, limit: MeterLimit, now: Timestamp, jitter: u16) -> Option<Timestamp> {
        let now_ms = u64::try_from(now.0).unwrap_or(0);
        let again = (self.waiting.len() as u64 * ASK_EACH_MS).clamp(ASK_AGAIN_MS, ASK_AGAIN_MS_MAX);
        let latest = now_ms + again / 2 + again / 2 * u64::from(jitter) / 65_536;
        let at = match limit {
            MeterLimit::Held { most } => {
                self.most = most;
                if (self.held.len() as u64) < most {
                    return None;
                }
                let promised = self.promised.max(now_ms) + if self.gap_ms == 0 { GAP_MS } else { self.gap_ms };
                self.promised = promised.min(now_ms + again);
                promised
            }
            MeterLimit::Rate { most: 0, .. } => latest,
            MeterLimit::Rate { most, per_ms, burst } => {
                let (now_us, step) = (now_ms * 1_000, interval_us(most, per_ms));
                let next = self.reached.max(now_us) + step;
                if next <= now_us + burst * step {
                    self.reached = next;
                    return None;
                }
                let promised = self.promised.max(next - burst * step);
                self.promised = (promised + step).min(now_us + again * 1_000);
                promised.div_ceil(1_000)
            }
            MeterLimit::Budget { most, from, until } => {
                let (from, until) = (u64::try_from(from.0).unwrap_or(0), u64::try_from(until.0).unwrap_or(0));
                let period = if now_ms >= until { until } else { from };
                if period > self.period {
                    (self.period, self.spent, self.settled) = (period, 0, 0);
                }
                let open = self.held.values().filter(|until| **until > now.0).count() as u64;
                let usual = self.spent.checked_div(self.settled).unwrap_or(0);
                if self.spent + open * usual < most {
                    return None;
                }
                if now_ms < until { latest.min(until) } else { latest }
            }
        };
        let at = if at > now_ms + again { latest } else { at };
        Some(Timestamp(ms(at)))
    }

    fn settle(&mut self, holder: &str, used: u64, now: Timestamp) -> bool {
        let full = self.held.len() as u64 >= self.most;
        if self.held.remove(holder).is_none() {
            return false;
        }
        self.spent += used;
        self.settled += 1;
        let now_ms = u64::try_from(now.0).unwrap_or(0);
        if full && self.ended_at > 0 {
            let gap = now_ms.saturating_sub(self.ended_at).min(GAP_MS_MAX);
            let known = if self.gap_ms == 0 { GAP_MS } else { self.gap_ms };
            self.gap_ms = ((known * 3 + gap) / 4).max(1);
        }
        self.ended_at = now_ms;
        true
    }

    fn seen(&self, waiter: Option<&str>, beyond: u32, holders: u32, now: Timestamp) -> MeterSeen {
        let mut first: Vec<(i64, &String)> = self.held.iter().map(|(holder, until)| (*until, holder)).collect();
        first.sort();
        MeterSeen {
            held: self.held.values().filter(|until| **until > now.0).count() as u64,
            waiting: self.waiting.values().filter(|until| **until > now.0 - ms(WAITED_MS)).count() as u64,
            used: self.spent,
            waits_until: waiter.and_then(|waiter| self.waiting.get(waiter)).map(|at| Timestamp(*at)),
            holders: first
                .into_iter()
                .skip(beyond as usize)
                .take(holders as usize)
                .map(|(_, name)| name.clone())
                .collect(),
        }
    }
}

/// The time that one reservation of a rate takes, in microseconds.
fn interval_us(most: u64, per_ms: u64) -> u64 {
    (per_ms * 1_000 / most.max(1)).max(1)
}

fn ms(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
