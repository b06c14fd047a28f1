//! Moments and lengths of time as people write them: `2026-03-29T01:00:00Z`, `1h30m`.
//! What they are for is left to others.

use baton_common::Timestamp;

use crate::Error;

/// The units of a span, the longest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a moment with its offset, as in RFC 3339.
///
/// # Errors
/// When it is none.
pub fn parse_moment(text: &str) -> Result<Timestamp, Error> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    read.map(|at| Timestamp(at.as_millisecond())).map_err(|_| {
        let text: String = text.chars().take(40).collect();
        Error::new(format!("{text:?} is no moment"), "write it with its offset, as in 2026-03-29T01:00:00Z")
    })
}

/// Writes a moment in UTC: `2026-03-29T01:00:00Z`.
#[must_use]
pub fn print_moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Reads a length of time, as milliseconds: `90s`, `1h30m`, `500ms`.
///
/// # Errors
/// When it is none.
pub fn parse_span(text: &str) -> Result<u64, Error> {
    let refused = || {
        let text: String = text.chars().take(40).collect();
        Error::new(format!("{text:?} is no length of time"), "write numbers with units, as in 90s, 15m, 1h30m or 1d")
    };
    let (mut rest, mut total) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let (_, ms) = UNITS.into_iter().find(|(known, _)| *known == unit).ok_or_else(refused)?;
        total = number.checked_mul(ms).and_then(|ms| total.checked_add(ms)).ok_or_else(refused)?;
        rest = behind.trim_start();
    }
    Ok(total)
}

/// Writes a length of time: `1h30m`.
#[must_use]
pub fn print_span(ms: u64) -> String {
    let (mut rest, mut text) = (ms, String::new());
    for (unit, each) in UNITS {
        if rest >= each {
            text += &format!("{}{unit}", rest / each);
            rest %= each;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Lengths of time as text in stored and written schedules.
pub(crate) mod span {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&super::print_span(*ms))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        super::parse_span(&String::deserialize(deserializer)?).map_err(|error| serde::de::Error::custom(error.cure))
    }
}

/// The same where there may be none.
pub(crate) mod some_span {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(crate) fn serialize<S: Serializer>(ms: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => serializer.collect_str(&super::print_span(*ms)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = text.map(|text| super::parse_span(&text)).transpose();
        read.map_err(|error| serde::de::Error::custom(format!("{error}: {}", error.cure)))
    }
}

/// Moments as text where there may be none.
pub(crate) mod some_moment {
    use baton_common::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(&super::print_moment(*at)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = text.map(|text| super::parse_moment(&text)).transpose();
        read.map_err(|error| serde::de::Error::custom(format!("{error}: {}", error.cure)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back() {
        for (text, ms) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("1d", 86_400_000), ("2m 5s", 125_000)]
        {
            assert_eq!(parse_span(text), Ok(ms), "{text}");
            assert_eq!(parse_span(&print_span(ms)), Ok(ms), "{text}");
        }
        for text in ["", "5", "s", "5 s", "-5s", "5w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_needs_its_offset() {
        let at = parse_moment("2026-03-29T03:00:00+02:00").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(print_moment(at), "2026-03-29T01:00:00Z");
        assert!(parse_moment("2026-03-29T03:00:00").is_err());
    }
}
