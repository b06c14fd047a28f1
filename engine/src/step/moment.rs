//! Moments as graphs write them: RFC 3339 texts.

use baton_common::Timestamp;

/// The moment a text names: `2026-01-31T08:00:00Z`, with an offset or parts of a second if
/// need be.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let days = days(date)?;
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let millis = millis(clock)?;
    let offset = match offset.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = number(hours, 2, 23)? * 60 + number(minutes, 2, 59)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    Some(Timestamp(days * 86_400_000 + millis - offset * 60_000))
}

/// The moment as such a text, in UTC: with parts of a second where it has any.
pub(super) fn text(at: Timestamp) -> String {
    let (days, millis) = (at.0.div_euclid(86_400_000), at.0.rem_euclid(86_400_000));
    // As in `days`, years begin with March and four centuries are one era.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let part = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    format!("{:04}-{month:02}-{of_month:02}T{clock}{part}Z", year + era * 400)
}

/// Days since the first of January 1970.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4, 9999)?, number(parts.next()?, 2, 12)?, parts.next()?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(day, 2, last)?;
    if parts.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    // Years begin with March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(before + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

fn millis(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2, 23)?, number(parts.next()?, 2, 59)?, parts.next()?);
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    if parts.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(((hour * 60 + minute) * 60 + number(second, 2, 60)?) * 1_000 + digits.parse::<i64>().ok()?)
}

fn number(text: &str, digits: usize, most: i64) -> Option<i64> {
    let fits = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit());
    fits.then(|| text.parse().ok())?.filter(|number| *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:30:15.25Z", 951_827_415_250),
            ("2026-11-21T08:00:00+01:30", 1_795_242_600_000),
            ("2026-11-20T22:00:00-08:30", 1_795_242_600_000),
            ("1969-12-31 23:59:59.999z", -1),
        ] {
            assert_eq!(parse(text), Some(Timestamp(ms)), "{text}");
            assert_eq!(parse(&super::text(Timestamp(ms))), Some(Timestamp(ms)), "{text}");
        }
        assert_eq!(super::text(Timestamp(951_827_415_250)), "2000-02-29T12:30:15.250Z");
        assert_eq!(super::text(Timestamp(1_795_242_600_000)), "2026-11-21T06:30:00Z");
        for day in (-700_000..2_900_000).step_by(97) {
            let at = Timestamp(day * 86_400_000);
            assert_eq!(parse(&super::text(at)), Some(at), "day {day}");
        }
        for text in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "tomorrow",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
