//! A range of past fires that is worked off at a measured pace: to catch up, or because
//! somebody asked for it.

use baton_common::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spec::check_per_minute;
use crate::{Calendar, Error, Fire, Kind, Overlap};

/// The most fires one backfill may ask for.
pub const BACKFILL_FIRES_MAX: usize = 10_000;
/// The most ranges a schedule works off at a time.
pub(crate) const RANGES_MAX: usize = 16;

/// A range under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its name; empty for one that catches up.
    #[serde(default)]
    pub name: String,
    /// Fires after then are left to do.
    pub after: Timestamp,
    /// Up to then.
    pub until: Timestamp,
    /// Instead of the schedule's own policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// At most so many in a minute.
    pub per_minute: u32,
    /// Whether fires that had their run have one more.
    #[serde(default)]
    pub again: bool,
    /// When its next fire is admitted.
    pub next_at: Timestamp,
}

impl Range {
    /// A backfill of the fires from `from` up to `until`, both of them past.
    ///
    /// # Errors
    /// When the range lies ahead, is empty or holds too many fires.
    pub fn backfill(asked: Self, calendar: &Calendar, now: Timestamp) -> Result<Self, Error> {
        check_per_minute(asked.per_minute)?;
        crate::check_name(&asked.name, crate::REQUEST_CHARS_MAX)?;
        if asked.until > now {
            return Err(Error::new("a backfill ends in the past", "use an earlier end"));
        }
        // The start belongs to it.
        let asked = Self { after: Timestamp(asked.after.0.saturating_sub(1)), next_at: now, ..asked };
        match calendar.between(asked.after, asked.until).take(BACKFILL_FIRES_MAX + 1).count() {
            0 => Err(Error::new("there is no fire in this range", "check its ends, and the schedule's start")),
            count if count > BACKFILL_FIRES_MAX => {
                let cause = format!("there are more than {BACKFILL_FIRES_MAX} fires in this range");
                Err(Error::new(cause, "ask for a part of it"))
            }
            _ => Ok(asked),
        }
    }

    /// The fires whose turn it is, at most so many; and whether it is done.
    pub(crate) fn take(&mut self, calendar: &Calendar, now: Timestamp, room: usize) -> (Vec<Fire>, bool) {
        let pace_ms = 60_000 / u64::from(self.per_minute.max(1));
        // What was not done while nobody was there is not made up for at once.
        self.next_at = self.next_at.max(Timestamp(now.0.saturating_sub(1_000)));
        let mut fires = Vec::new();
        while self.next_at <= now && fires.len() < room {
            let Some(nominal) = calendar.next(self.after).filter(|nominal| *nominal <= self.until) else {
                return (fires, true);
            };
            let kind = if self.name.is_empty() { Kind::CatchUp } else { Kind::Backfill };
            let mut fire = Fire { overlap: self.overlap, at: now, ..Fire::nominal(nominal, kind) };
            if self.again {
                fire.key = format!("{}~{}", fire.key, self.name);
            }
            fires.push(fire);
            self.after = nominal;
            self.next_at = self.next_at.plus_ms(pace_ms.max(1));
        }
        let done = calendar.next(self.after).is_none_or(|nominal| nominal > self.until);
        (fires, done)
    }
}
