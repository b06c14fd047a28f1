//! `Retry-After`: seconds or a date, as milliseconds from now.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest pause that is believed, in milliseconds: a day.
pub const PAUSE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// How long the other side wants to be left alone, in milliseconds. A date that has
/// passed is no pause; what is neither seconds nor a date is no wish.
#[must_use]
pub fn parse(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(1000).min(PAUSE_MS_MAX));
    }
    let until = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(value).ok()?;
    let pause = until.as_millisecond().saturating_sub(now.as_millisecond());
    Some(u64::try_from(pause).unwrap_or(0).min(PAUSE_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        assert_eq!(parse(" 2 ", now), Some(2000));
        assert_eq!(parse("99999999999999999999999", now), Some(PAUSE_MS_MAX));
        assert_eq!(parse("Mon, 05 Jan 2026 10:00:30 GMT", now), Some(30_000));
        assert_eq!(parse("Mon, 05 Jan 2026 09:00:00 GMT", now), Some(0));
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(parse(text, now), None, "{text:?}");
        }
    }
}
