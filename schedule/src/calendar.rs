//! The moments of a schedule: cron in a time zone, or a fixed interval.
//!
//! Time zones come with the program, so that replicas of one version agree whatever their
//! machines hold. Where clocks are put forward, an expression that names hours fires once at
//! the shift for all it names in the gap; where they are put back, it fires at the first of
//! the two. One that names every hour counts time as it passes.

use baton_common::Timestamp;
use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::{Cron, Error};

/// Changes of a zone's offset that are looked through for one moment: two a year, and an
/// expression finds its day within twelve.
const SHIFTS_MAX: usize = 64;

/// The moments of a schedule.
#[derive(Debug, Clone)]
pub struct Calendar {
    rule: Rule,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Rule {
    Cron(Box<Cron>, TimeZone),
    Every { ms: u64, anchor: Timestamp },
}

/// The zone of that name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| {
        let name: String = name.chars().take(40).collect();
        Error::new(
            format!("there is no time zone {name:?}"),
            "use a name of the IANA database, as Europe/Berlin or UTC",
        )
    })
}

impl Calendar {
    pub(crate) fn cron(cron: Cron, zone: TimeZone) -> Self {
        Self { rule: Rule::Cron(Box::new(cron), zone), start: None, end: None }
    }

    pub(crate) fn every(ms: u64, anchor: Timestamp) -> Self {
        Self { rule: Rule::Every { ms: ms.max(1), anchor }, start: None, end: None }
    }

    /// Leaves out what is before `start` or not before `end`.
    pub(crate) fn within(self, start: Option<Timestamp>, end: Option<Timestamp>) -> Self {
        Self { start, end, ..self }
    }

    /// The first moment after `after`.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = self.start.map_or(after, |start| after.max(Timestamp(start.0.saturating_sub(1))));
        let next = match &self.rule {
            Rule::Every { ms, anchor } => {
                let every = i64::try_from(*ms).ok()?;
                let passed = after.0.checked_sub(anchor.0)?.div_euclid(every);
                Some(Timestamp(passed.checked_add(1)?.checked_mul(every)?.checked_add(anchor.0)?))
            }
            Rule::Cron(cron, zone) => next_of(cron, zone, after),
        };
        next.filter(|next| self.end.is_none_or(|end| *next < end))
    }

    /// Its moments after `after` and up to `until`, in order.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let within = move |at: &Timestamp| *at <= until;
        std::iter::successors(self.next(after).filter(within), move |at| self.next(*at).filter(within))
    }

    /// Its last moment after `after` and up to `until`.
    #[must_use]
    pub fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut reach = 60_000_i64;
        loop {
            let from = Timestamp(until.0.saturating_sub(reach)).max(after);
            if let Some(last) = self.between(from, until).last() {
                return Some(last);
            }
            if from <= after {
                return None;
            }
            reach = reach.saturating_mul(8);
        }
    }
}

/// Goes through the stretches of one offset each, from the one `after` lies in.
fn next_of(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let after = Instant::from_millisecond(after.0).ok()?;
    let mut shifts = zone.following(after).map(|shift| (shift.timestamp(), shift.offset()));
    let mut offset = zone.to_offset(after);
    let local = offset.to_datetime(after);
    let mut from = local.checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
    if !cron.is_hourly() {
        from = from.max(walked_to(zone, after)?);
    }
    for _ in 0..SHIFTS_MAX {
        let shift = shifts.next();
        let found = cron.next(from)?;
        let at = offset.to_timestamp(found).ok()?;
        let Some((change, behind)) = shift.filter(|(change, _)| at >= *change) else {
            return Some(Timestamp(at.as_millisecond()));
        };
        let (ends, begins) = (offset.to_datetime(change), behind.to_datetime(change));
        if !cron.is_hourly() && in_gap(found, ends, begins) {
            return Some(Timestamp(change.as_millisecond()));
        }
        from = if cron.is_hourly() { begins } else { begins.max(ends) };
        offset = behind;
    }
    None
}

/// Whether a local time is left out by clocks put forward from `ends` to `begins`.
fn in_gap(at: DateTime, ends: DateTime, begins: DateTime) -> bool {
    at >= ends && at < begins
}

/// How far clocks had gone before they were last put back, where that is still ahead of
/// them: what is named until there has had its turn.
fn walked_to(zone: &TimeZone, after: Instant) -> Option<DateTime> {
    // A shift at the very moment counts as made.
    let from = after.checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
    let mut preceding = zone.preceding(from).map(|shift| shift.timestamp());
    let Some(change) = preceding.next() else { return Some(DateTime::MIN) };
    let before: Offset = zone.to_offset(change.checked_sub(jiff::SignedDuration::from_millis(1)).ok()?);
    Some(before.to_datetime(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_moment, print_moment};

    fn cron(text: &str, name: &str) -> Calendar {
        let parsed = Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        Calendar::cron(parsed, zone(name).unwrap_or_else(|error| panic!("{error}")))
    }

    fn at(text: &str) -> Timestamp {
        parse_moment(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn moments(calendar: &Calendar, after: &str, until: &str) -> Vec<String> {
        calendar.between(at(after), at(until)).map(print_moment).collect()
    }

    /// Expression, zone, after, until, and the fires between them.
    const SHIFTS: [(&str, &str, &str, &str, &[&str]); 11] = [
        // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "2026-03-30T12:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        ("*/10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", &["2026-03-29T01:00:00Z"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", &["2026-03-29T01:00:00Z"]),
        // Every hour: time as it passes.
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29T02:00:00Z",
            &["2026-03-28T23:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"],
        ),
        // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:40:00Z",
            "2026-10-25T02:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        ),
        ("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", &["2026-10-25T02:00:00Z"]),
        // New York, 2026-03-08 and 2026-11-01.
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            "2026-03-09T12:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            "2026-11-02T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        ),
        // Lord Howe: half an hour.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-04T12:00:00Z",
            &["2026-10-03T15:30:00Z"],
        ),
        // Apia left a whole day out: it is made up for at the shift.
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T00:00:00Z",
            "2011-12-31T12:00:00Z",
            &["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
        ),
    ];

    #[test]
    fn a_time_that_is_left_out_fires_at_the_shift_and_one_that_comes_twice_once() {
        for (text, name, after, until, expected) in SHIFTS {
            assert_eq!(moments(&cron(text, name), after, until), expected, "{text} in {name}");
        }
    }

    #[test]
    fn a_moment_does_not_depend_on_where_the_search_begins() {
        for (text, name) in [
            ("30 2 * * *", "Europe/Berlin"),
            ("*/7 1-3 * * *", "America/New_York"),
            ("*/20 * * * *", "Australia/Lord_Howe"),
        ] {
            let calendar = cron(text, name);
            for (from, until) in
                [("2026-03-07T00:00:00Z", "2026-03-30T00:00:00Z"), ("2026-10-01T00:00:00Z", "2026-11-03T00:00:00Z")]
            {
                let all: Vec<Timestamp> = calendar.between(at(from), at(until)).collect();
                assert!(all.is_sorted() && all.len() > 20, "{text} in {name}");
                let mut begin = at(from);
                while begin < at(until) {
                    let expected = all.iter().find(|moment| **moment > begin);
                    if let Some(expected) = expected {
                        assert_eq!(
                            calendar.next(begin),
                            Some(*expected),
                            "{text} in {name} after {}",
                            print_moment(begin)
                        );
                    }
                    begin = begin.plus_ms(13 * 60_000 + 1);
                }
                for pair in all.windows(2) {
                    assert_eq!(calendar.next(pair[0]), Some(pair[1]), "{text} in {name}");
                    assert_eq!(calendar.last(at(from), pair[1]), Some(pair[1]), "{text} in {name}");
                }
            }
        }
    }

    #[test]
    fn an_interval_keeps_to_its_anchor() {
        let calendar = Calendar::every(90_000, at("2026-01-01T00:00:10Z"));
        let found = moments(&calendar, "2026-01-01T00:00:10Z", "2026-01-01T00:04:40Z");
        assert_eq!(found, ["2026-01-01T00:01:40Z", "2026-01-01T00:03:10Z", "2026-01-01T00:04:40Z"]);
        let before = moments(&calendar, "2025-12-31T23:58:00Z", "2026-01-01T00:00:10Z");
        assert_eq!(before, ["2025-12-31T23:58:40Z", "2026-01-01T00:00:10Z"]);
    }

    #[test]
    fn the_start_belongs_to_it_and_the_end_does_not() {
        let calendar =
            cron("0 * * * *", "UTC").within(Some(at("2026-01-01T02:00:00Z")), Some(at("2026-01-01T04:00:00Z")));
        let found = moments(&calendar, "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        assert_eq!(found, ["2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"]);
    }
}
