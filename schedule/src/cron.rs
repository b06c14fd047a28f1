//! Cron expressions: reading them, and the local times they name.
//!
//! Five fields (minute, hour, day of month, month, day of week), six with seconds in front,
//! or `@daily` and its like. Time zones are left to `calendar`.

use jiff::civil::{Date, DateTime, Time};

use crate::Error;

/// Names of months and days of the week; each stands for its place.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What the words stand for.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Years that are looked through for a day: the 29th of February may be eight years away.
const YEARS_MAX: i16 = 12;
/// The longest expression, in characters.
const CHARS_MAX: usize = 256;

/// One field: what it is called, what it may hold, and its names from the first value on.
struct Field {
    name: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", from: 0, to: 59, names: &[] },
    Field { name: "minute", from: 0, to: 59, names: &[] },
    Field { name: "hour", from: 0, to: 23, names: &[] },
    Field { name: "day of month", from: 1, to: 31, names: &[] },
    Field { name: "month", from: 1, to: 12, names: &MONTHS },
    Field { name: "day of week", from: 0, to: 7, names: &DAYS },
];

/// A cron expression. A bit of each set stands for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the last day of each month is meant (`L`).
    last_day: bool,
    /// Whether day of month and day of week are both named: then either is enough.
    either: bool,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is none, or names no day there ever is.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |cause: String| {
            Error::new(cause, "write `minute hour day month weekday`, with seconds in front where wanted, or @daily")
        };
        if text.len() > CHARS_MAX {
            return Err(refused(format!("the cron expression has more than {CHARS_MAX} characters")));
        }
        let trimmed = text.trim();
        if trimmed.starts_with('@') {
            let word = WORDS.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(trimmed));
            let known = WORDS.map(|(word, _)| word).join(", ");
            return match word {
                Some((_, meaning)) => Self::parse(meaning),
                None => Err(Error::new(format!("{trimmed} is no word for a time"), format!("there are {known}"))),
            };
        }
        let mut texts: Vec<&str> = trimmed.split_whitespace().collect();
        if texts.len() == 5 {
            texts.insert(0, "0");
        }
        let &[second, minute, hour, day, month, weekday] = texts.as_slice() else {
            return Err(refused(format!("a cron expression has 5 or 6 fields, this one has {}", texts.len())));
        };
        let set = |place: usize, text: &str| FIELDS[place].set(text).map_err(refused);
        let last_day = day.split(',').any(|part| part.eq_ignore_ascii_case("l"));
        let named: Vec<&str> = day.split(',').filter(|part| !part.eq_ignore_ascii_case("l")).collect();
        let days = if named.is_empty() { 0 } else { set(3, &named.join(","))? };
        let weekdays = set(5, weekday)?;
        let any = |text: &str| text.starts_with('*') || text == "?";
        let cron = Self {
            seconds: set(0, second)?,
            minutes: set(1, minute)?,
            hours: set(2, hour)?,
            days,
            months: set(4, month)?,
            // The seventh day is the one before the first.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            last_day,
            either: !any(day) && !any(weekday),
        };
        match cron.next(DateTime::constant(2024, 1, 1, 0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err(refused(format!("{trimmed:?} names no day there ever is"))),
        }
    }

    /// Whether it names every hour: then it counts time as it passes, and not by the clock
    /// on the wall.
    pub(crate) fn is_hourly(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// The first local time it names that is not before `from`.
    #[must_use]
    pub fn next(&self, from: DateTime) -> Option<DateTime> {
        let from = if from.subsec_nanosecond() > 0 {
            from.checked_add(jiff::SignedDuration::from_secs(1)).ok()?.with().subsec_nanosecond(0).build().ok()?
        } else {
            from
        };
        let mut date = from.date();
        if self.is_day(date)
            && let Some(time) = self.time_from(from.time())
        {
            return Some(date.to_datetime(time));
        }
        let end = from.year().saturating_add(YEARS_MAX);
        loop {
            date = date.tomorrow().ok()?;
            if self.months >> date.month() & 1 == 0 {
                date = date.last_of_month();
                if date.year() > end {
                    return None;
                }
                continue;
            }
            if self.is_day(date) {
                return Some(date.to_datetime(self.time_from(Time::midnight())?));
            }
            if date.year() > end {
                return None;
            }
        }
    }

    fn is_day(&self, date: Date) -> bool {
        if self.months >> date.month() & 1 == 0 {
            return false;
        }
        let of_month = self.days >> date.day() & 1 == 1 || self.last_day && date.day() == date.days_in_month();
        let of_week = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        if self.either { of_month || of_week } else { of_month && of_week }
    }

    /// The first time of a day that is not before `from`.
    fn time_from(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let time = |hour, minute, second| Time::new(hour, minute, second, 0).ok();
        let first = |set: u64| next_in(set, 0);
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = next_in(self.seconds, second)
            {
                return time(hour, minute, second);
            }
            if let Some(minute) = next_in(self.minutes, minute + 1) {
                return time(hour, minute, first(self.seconds)?);
            }
        }
        time(next_in(self.hours, hour + 1)?, first(self.minutes)?, first(self.seconds)?)
    }
}

/// The least value of a set that is not below `from`.
fn next_in(set: u64, from: i8) -> Option<i8> {
    let rest = set.checked_shr(u32::try_from(from).ok()?)?;
    let behind = i8::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
    Some(from + behind)
}

impl Field {
    /// The set a field's text names: lists of `*`, values, `a-b`, each with a step `/n`.
    fn set(&self, text: &str) -> Result<u64, String> {
        let mut set = 0;
        for part in text.split(',') {
            let refused = |why: &str| format!("{} {:?} {why}", self.name, part.chars().take(20).collect::<String>());
            let (span, step) = match part.split_once('/') {
                Some((span, step)) => {
                    let step: u32 = step.parse().map_err(|_| refused("has no number behind its /"))?;
                    (
                        span,
                        Some(step)
                            .filter(|step| (1..=self.to).contains(step))
                            .ok_or_else(|| refused("steps too far"))?,
                    )
                }
                None => (part, 0),
            };
            let (from, to) = match span.split_once('-') {
                _ if span == "*" || span == "?" => (self.from, self.to.min(if self.names == DAYS { 6 } else { 59 })),
                Some((from, to)) => (self.value(from).ok_or_else(|| refused("is no range"))?, {
                    self.value(to).ok_or_else(|| refused("is no range"))?
                }),
                None => {
                    let value = self.value(span).ok_or_else(|| self.outside(part))?;
                    (value, if step > 0 { self.to } else { value })
                }
            };
            if from > to {
                return Err(refused("goes backwards"));
            }
            let values = (from..=to).step_by(usize::try_from(step.max(1)).unwrap_or(1));
            values.for_each(|value| set |= 1 << value);
        }
        Ok(set)
    }

    fn outside(&self, part: &str) -> String {
        let part: String = part.chars().take(20).collect();
        format!("{} {part:?} is none of {} to {}", self.name, self.from, self.to)
    }

    fn value(&self, text: &str) -> Option<u32> {
        let place = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = place.and_then(|place| u32::try_from(place).ok()).map(|place| place + self.from);
        let read = || text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        named.or_else(read).filter(|value| (self.from..=self.to).contains(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, from: &str) -> String {
        let cron = Cron::parse(cron).unwrap_or_else(|error| panic!("{cron}: {error}"));
        let from: DateTime = from.parse().unwrap_or_else(|error| panic!("{from}: {error}"));
        cron.next(from).map_or_else(|| "never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn an_expression_names_its_times() {
        let table = [
            ("30 2 * * *", "2026-01-05T02:30:01", "2026-01-06T02:30:00"),
            ("30 2 * * *", "2026-01-05T02:30:00", "2026-01-05T02:30:00"),
            ("*/15 * * * *", "2026-01-05T02:46:00", "2026-01-05T03:00:00"),
            ("*/20 * * * * *", "2026-01-05T23:59:41", "2026-01-06T00:00:00"),
            ("0 9 * * mon-fri", "2026-01-09T09:00:01", "2026-01-12T09:00:00"),
            ("0 9 * * 7", "2026-01-05T00:00:00", "2026-01-11T09:00:00"),
            ("0 9 * * 0", "2026-01-05T00:00:00", "2026-01-11T09:00:00"),
            ("0 0 31 * *", "2026-02-01T00:00:00", "2026-03-31T00:00:00"),
            ("0 0 L * *", "2026-02-01T00:00:00", "2026-02-28T00:00:00"),
            ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
            ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
            ("0 0 13 * fri", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
            ("0 0 13 * *", "2026-01-01T00:00:00", "2026-01-13T00:00:00"),
            ("0 0 */2 * mon", "2026-01-01T00:00:00", "2026-01-05T00:00:00"),
            ("5/20 8-10/2 * * *", "2026-01-05T08:46:00", "2026-01-05T10:05:00"),
            ("0 12 1 JAN,jul ?", "2026-01-05T00:00:00", "2026-07-01T12:00:00"),
            ("@daily", "2026-01-05T00:00:01", "2026-01-06T00:00:00"),
            ("@hourly", "2026-12-31T23:00:01", "2027-01-01T00:00:00"),
            ("0 0 1 1 *", "2026-01-01T00:00:00.5", "2027-01-01T00:00:00"),
        ];
        for (cron, from, expected) in table {
            assert_eq!(next(cron, from), expected, "{cron} from {from}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let table = [
            ("", "5 or 6 fields, this one has 0"),
            ("* * * *", "has 4"),
            ("60 * * * *", "minute \"60\" is none of 0 to 59"),
            ("* * 0 * *", "day of month \"0\" is none of 1 to 31"),
            ("* * * foo *", "month \"foo\" is none of 1 to 12"),
            ("5-2 * * * *", "goes backwards"),
            ("*/0 * * * *", "steps too far"),
            ("*/x * * * *", "has no number behind its /"),
            ("0 0 31 2 *", "names no day there ever is"),
            ("0 0 30 2 *", "names no day there ever is"),
            ("+5 * * * *", "is none of"),
            ("@every 5m", "is no word for a time"),
            ("0 0 15W * *", "is none of"),
        ];
        for (cron, cause) in table {
            let error = Cron::parse(cron).err().map_or_else(String::new, |error| error.cause);
            assert!(error.contains(cause), "{cron}: {error}");
        }
    }
}
