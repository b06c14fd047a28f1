//! What of a schedule is due: fires that came since it was looked at, late ones by its
//! catch-up policy, and those of its ranges whose turn it is.

use baton_common::Timestamp;

use crate::range::RANGES_MAX;
use crate::{Calendar, CatchUpPolicy, Counts, Error, Fire, Kind, Range, Record};

/// Fires that wait at most; more are skipped.
pub(crate) const PENDING_MAX: usize = 200;
/// Fires that a range may have waiting, so that it leaves room for those on time.
const RANGE_PENDING_MAX: usize = 20;
/// Missed fires that are counted one by one in a look; of more it is only known that there
/// are that many.
const COUNTED_MAX: usize = 10_000;

/// How late is late, and how often what waits is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A fire that nobody looked at for so many milliseconds is one to catch up.
    pub late_ms: u64,
    /// What waits for a run is looked at again after so many milliseconds.
    pub poll_ms: u64,
}

impl Record {
    /// Decides on all fires up to now. Of two looks at one record the one that is stored
    /// first counts: both name what they saw.
    ///
    /// # Errors
    /// When its spec cannot be read.
    pub fn look(&mut self, now: Timestamp, rules: Rules) -> Result<(), Error> {
        let calendar = self.spec.calendar()?;
        if self.paused.is_some() {
            return Ok(());
        }
        if now > self.mark {
            let late_until = Timestamp(now.0.saturating_sub(i64::try_from(rules.late_ms).unwrap_or(i64::MAX)));
            let on_time = self.mark.max(late_until);
            let fires: Vec<Timestamp> = calendar.between(on_time, now).collect();
            if late_until > self.mark {
                self.catch_up(&calendar, late_until, now, !fires.is_empty());
            }
            for nominal in fires {
                self.admit(Fire::nominal(nominal, Kind::OnTime), now);
            }
            self.mark = now;
        }
        self.work_off(&calendar, now);
        Ok(())
    }

    /// Late fires: those after the mark and up to `until`.
    fn catch_up(&mut self, calendar: &Calendar, until: Timestamp, now: Timestamp, others_follow: bool) {
        let catch_up = &self.spec.catch_up;
        let window = Timestamp(now.0.saturating_sub(i64::try_from(catch_up.window_ms).unwrap_or(i64::MAX)));
        let from = self.mark.max(window);
        let per_minute = catch_up.per_minute;
        let count = |after, until| u64::try_from(calendar.between(after, until).take(COUNTED_MAX).count()).unwrap_or(0);
        let mut missed = if from > self.mark { count(self.mark, from.min(until)) } else { 0 };
        let policy = catch_up.policy;
        match policy {
            _ if from >= until => {}
            CatchUpPolicy::Skip => missed += count(from, until),
            CatchUpPolicy::Last => {
                missed += count(from, until);
                if !others_follow && let Some(last) = calendar.last(from, until) {
                    missed = missed.saturating_sub(1);
                    let fire = Fire { at: now, ..Fire::nominal(last, Kind::CatchUp) };
                    self.admit(fire, now);
                }
            }
            CatchUpPolicy::All if self.ranges.len() >= RANGES_MAX => missed += count(from, until),
            CatchUpPolicy::All => {
                if calendar.next(from).is_some_and(|next| next <= until) {
                    let (name, overlap, next_at) = (String::new(), None, now);
                    self.ranges.push(Range { name, after: from, until, overlap, per_minute, again: false, next_at });
                }
            }
        }
        self.counts.missed += missed;
    }

    /// Takes a fire up, once.
    pub(crate) fn admit(&mut self, fire: Fire, now: Timestamp) {
        if self.pending.iter().any(|known| known.key == fire.key) {
            return;
        }
        let fire = match (fire.kind, self.spec.jitter_ms) {
            (Kind::OnTime, Some(jitter_ms)) => fire.jittered(&self.tenant, &self.name, jitter_ms),
            _ => fire,
        };
        let full = self.pending.len() >= PENDING_MAX;
        let key = fire.key.clone();
        self.pending.push(fire);
        if full {
            self.settle(&key, crate::Verdict::Full, now);
        }
    }

    fn work_off(&mut self, calendar: &Calendar, now: Timestamp) {
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.retain_mut(|range| {
            let waiting =
                self.pending.iter().filter(|fire| matches!(fire.kind, Kind::CatchUp | Kind::Backfill)).count();
            let (fires, done) = range.take(calendar, now, RANGE_PENDING_MAX.saturating_sub(waiting));
            fires.into_iter().for_each(|fire| self.admit(fire, now));
            !done
        });
        self.ranges = ranges;
    }

    /// Goes on after a pause: what it would have fired meanwhile is left out.
    ///
    /// # Errors
    /// When its spec cannot be read.
    pub fn resume(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.paused.take().is_some() && now > self.mark {
            let left_out = self.spec.calendar()?.between(self.mark, now).take(COUNTED_MAX).count();
            let Counts { paused, .. } = &mut self.counts;
            *paused += u64::try_from(left_out).unwrap_or(0);
            self.mark = now;
        }
        Ok(())
    }

    /// When it is to be looked at again; `None` where nothing is to come.
    ///
    /// # Errors
    /// When its spec cannot be read.
    pub fn due(&self, now: Timestamp, rules: Rules) -> Result<Option<Timestamp>, Error> {
        let poll = now.plus_ms(rules.poll_ms);
        let pending = self.pending.iter().filter(|fire| self.may_go(fire));
        let pending = pending.map(|fire| if fire.at > now { fire.at } else { poll }).min();
        if self.paused.is_some() {
            return Ok(pending);
        }
        let next = self.spec.calendar()?.next(self.mark);
        let range = self.ranges.iter().map(|range| range.next_at.max(now.plus_ms(1))).min();
        // While fires wait, a range may have no room.
        let range = if pending.is_some() { range.map(|at| at.max(poll)) } else { range };
        Ok([next, pending, range].into_iter().flatten().min())
    }

    /// Whether a pause leaves it alone.
    pub(crate) fn may_go(&self, fire: &Fire) -> bool {
        self.paused.is_none() || fire.begun || fire.kind == Kind::Manual
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
