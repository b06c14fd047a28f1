//! Records with their usual words cut short, for what a store keeps by the hundred thousand.
//!
//! A record's JSON text says the same few phrases again and again. Each of them is written as
//! one or two bytes below 0x20, which JSON text never holds but for white space. Digests, uuids
//! and moments are written as the bytes they stand for, behind bytes that no UTF-8 text holds.
//! What much resembles another text may be written as what differs from it. So a text tells by
//! itself whether it was cut short, and one that was not is read as it is. Texts that scripts look
//! into are left alone, but for what `lua/edit.lua` reads at both ends of a checkpoint.

use std::borrow::Cow;

/// Phrases by their number, each of them at least three bytes long. They only ever grow at the
/// end: what was written with a number is read with it.
const PHRASES: [&str; 42] = [
    "{\"seq\":",
    ",\"parent\":",
    ",\"run\":\"",
    "\",\"gen\":0,\"superstep\":",
    ",\"at\":",
    ",\"full\":false,\"writes\":{",
    ",\"full\":true,\"writes\":{",
    "},\"segments\":{",
    "{\"base\":",
    ",\"end\":",
    "},\"wrote\":{",
    "},\"control\":{\"activations\":{\"once\":\"",
    "\"},\"arrived\":[],\"full_bytes\":",
    ",\"open\":{",
    "{\"at_once\":true,\"base\":",
    "},\"since_full\":",
    ",\"steps\":",
    ",\"tokens\":0},\"hash\":\"",
    "{\"id\":\"",
    "\",\"kind\":\"job\",\"count\":",
    "\",\"kind\":\"",
    "1,\"window\":1,\"need_ok\":1,\"max_failed\":0",
    ",\"window\":",
    ",\"need_ok\":",
    ",\"max_failed\":",
    ",\"detached\":false,\"tool\":\"",
    "\",\"tool_major\":",
    ",\"class\":\"io\",\"queue\":\"",
    "io.normal\",\"effect\":\"",
    "\",\"effect\":\"",
    "\",\"policy\":{\"attempts_max\":",
    ",\"backoff_min_ms\":1000,\"backoff_max_ms\":60000,\"retry_on\":[\"transient\"",
    "],\"retry_codes\":[],\"timeout_ms\":300000},\"base\":",
    ",\"deadline\":null}",
    "{\"actor\":\"",
    ",\"graph_name\":\"",
    ",\"input\":\"",
    "{\"form\":{\"schema\":{\"additionalProperties\":false,\"properties\":{\"",
    "\":{\"type\":\"",
    "\"}},\"required\":[\"",
    "\"],\"type\":\"object\"}},\"show\":[],\"title\":\"",
    "at_once\":true,\"base\":",
];

/// Bytes that stand for the first phrases; white space is not among them.
const SHORT: [u8; 27] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
    0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e,
];

/// Before the number of any other phrase.
const LONG: u8 = 0x1f;

/// What is added to that number, so that it is a letter.
const FIRST_LETTER: u8 = b'0';

/// Longer texts are mostly their users' own.
const SHORTENED_BYTES_MAX: usize = 16 * 1024;

/// Before 16 bytes that stand for 32 hexadecimal digits.
const DIGEST: u8 = 0xff;

/// Before 16 bytes that stand for a uuid.
const UUID: u8 = 0xfe;

/// Before 6 bytes that stand for a number of 13 digits: milliseconds of our days.
const MOMENT: u8 = 0xfd;

/// Before two numbers of a byte each: how many bytes of the other text are passed over, and how
/// many behind them are the same.
const SAME: u8 = 0xfc;

/// Begins a text that is written as what differs from another, which the next byte names.
const DIFFERENT: u8 = 0xfb;

/// How far ahead the same is looked for.
const PASSED_MAX: usize = 64;

/// Longer texts are not compared.
const COMPARED_BYTES_MAX: usize = 2 * 1024;

/// The text with its phrases cut short.
pub(super) fn shortened(text: &str) -> Cow<'_, [u8]> {
    if text.len() > SHORTENED_BYTES_MAX {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut short = Vec::with_capacity(text.len());
    shorten(text.as_bytes(), None, &mut short);
    Cow::Owned(short)
}

/// The text with its phrases cut short and its digits as they are, for scripts that look for some.
pub(super) fn phrased(text: &str) -> Cow<'_, [u8]> {
    if text.len() > SHORTENED_BYTES_MAX {
        return Cow::Borrowed(text.as_bytes());
    }
    let (mut short, mut place) = (Vec::with_capacity(text.len()), 0);
    while let Some(rest) = text.as_bytes().get(place..).filter(|rest| !rest.is_empty()) {
        place += match phrase_at(rest) {
            Some(number) => push_phrase(&mut short, number),
            None => {
                short.push(rest[0]);
                1
            }
        };
    }
    Cow::Owned(short)
}

/// The text as what differs from another, which is so far behind it in some order of the caller's;
/// nothing where that is not worth it.
pub(super) fn difference(text: &str, other: &str, distance: u8) -> Option<Vec<u8>> {
    if text.len().max(other.len()) > COMPARED_BYTES_MAX {
        return None;
    }
    let mut short = vec![DIFFERENT, distance];
    shorten(text.as_bytes(), Some(other.as_bytes()), &mut short);
    (short.len() < shortened(text).len()).then_some(short)
}

/// How far behind a text that one is from which its difference is kept.
pub(super) fn distance(stored: &[u8]) -> Option<u8> {
    match stored {
        [DIFFERENT, distance, ..] => Some(*distance),
        _ => None,
    }
}

/// A stored text as it was; nothing where a number is unknown, or it is a difference.
pub(super) fn whole(stored: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !stored.iter().any(is_marked) {
        return Some(Cow::Borrowed(stored));
    }
    lengthen(stored, &[]).map(Cow::Owned)
}

/// A text of which the difference from another is kept; the other is as it was.
pub(super) fn whole_beside(stored: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    match stored {
        [DIFFERENT, _, rest @ ..] => lengthen(rest, other),
        _ => None,
    }
}

fn is_marked(byte: &u8) -> bool {
    *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t') || *byte >= DIFFERENT
}

/// What stands for the beginning of a text.
enum Short {
    Phrase(usize),
    Digest,
    Uuid,
    Moment,
    Same { passed: usize, count: usize },
}

impl Short {
    /// Bytes of text that it stands for, and bytes that it takes.
    fn weight(&self) -> (usize, usize) {
        match self {
            Self::Phrase(number) => (PHRASES[*number].len(), if *number < SHORT.len() { 1 } else { 2 }),
            Self::Digest => (32, 17),
            Self::Uuid => (36, 17),
            Self::Moment => (13, 7),
            Self::Same { count, .. } => (*count, 3),
        }
    }

    fn saved(&self) -> usize {
        let (stood_for, taken) = self.weight();
        stood_for.saturating_sub(taken)
    }
}

fn shorten(text: &[u8], other: Option<&[u8]>, short: &mut Vec<u8>) {
    let (mut place, mut other_place) = (0, 0);
    while let Some(rest) = text.get(place..).filter(|rest| !rest.is_empty()) {
        let same = other.and_then(|other| same_at(rest, other.get(other_place..)?));
        let found = [phrase_at(rest).map(Short::Phrase), bytes_at(rest), same].into_iter().flatten();
        let Some(best) = found.filter(|found| found.saved() > 0).max_by_key(Short::saved) else {
            short.push(rest[0]);
            place += 1;
            continue;
        };
        match best {
            Short::Phrase(number) => {
                push_phrase(short, number);
            }
            Short::Digest => {
                short.push(DIGEST);
                short.extend(digits_of(&rest[..32]));
            }
            Short::Uuid => {
                short.push(UUID);
                short.extend(digits_of(&rest[..36]));
            }
            Short::Moment => {
                let number = rest[..13].iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
                short.push(MOMENT);
                short.extend(&number.to_be_bytes()[2..]);
            }
            Short::Same { passed, count } => {
                short.extend([SAME, passed as u8, count as u8]);
                other_place += passed + count;
            }
        }
        place += best.weight().0;
    }
}

/// The bytes of text that it stands for.
fn push_phrase(short: &mut Vec<u8>, number: usize) -> usize {
    match SHORT.get(number) {
        Some(byte) => short.push(*byte),
        None => short.extend([LONG, FIRST_LETTER + (number - SHORT.len()) as u8]),
    }
    PHRASES[number].len()
}

/// The longest phrase at the beginning of this. What no phrase begins with is told at once.
fn phrase_at(rest: &[u8]) -> Option<usize> {
    if !matches!(
        rest,
        [b',' | b'{' | b'"', ..]
            | [b'}' | b']', b',' | b'}', ..]
            | [b'1', b',', ..]
            | [b'i', b'o', ..]
            | [b'a', b't', b'_', ..]
    ) {
        return None;
    }
    let found = PHRASES.iter().enumerate().filter(|(_, phrase)| rest.starts_with(phrase.as_bytes()));
    found.max_by_key(|(_, phrase)| phrase.len()).map(|(number, _)| number)
}

/// What is written as the bytes it stands for.
fn bytes_at(rest: &[u8]) -> Option<Short> {
    if !is_digit(rest.first()?) {
        return None;
    }
    let digits = rest.iter().take(36).take_while(|byte| is_digit(byte)).count();
    let dash = |place: &usize| rest.get(*place) == Some(&b'-');
    if digits >= 32 {
        Some(Short::Digest)
    } else if digits == 8 && rest.len() >= 36 && [8, 13, 18, 23].iter().all(dash) {
        let all = (0..36).all(|place| matches!(place, 8 | 13 | 18 | 23) || is_digit(&rest[place]));
        all.then_some(Short::Uuid)
    } else if digits >= 13 && rest[0] != b'0' && rest[..13].iter().all(u8::is_ascii_digit) {
        Some(Short::Moment)
    } else {
        None
    }
}

fn is_digit(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Hexadecimal digits as bytes; dashes among them are passed over.
fn digits_of(text: &[u8]) -> impl Iterator<Item = u8> {
    let value = |digit: &u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
    let mut values = text.iter().filter(|byte| **byte != b'-').map(value);
    std::iter::from_fn(move || Some(values.next()? << 4 | values.next()?))
}

/// What this and the other text have in common, not far ahead in the other.
fn same_at(rest: &[u8], other: &[u8]) -> Option<Short> {
    let count = |passed: usize| {
        let pairs = rest.iter().zip(&other[passed..]);
        pairs.take(usize::from(u8::MAX)).take_while(|(a, b)| a == b).count()
    };
    let all = (0..other.len().min(PASSED_MAX)).map(|passed| (passed, count(passed)));
    // What is far ahead is worth it where much follows: what is passed over is lost.
    let best = all.filter(|(passed, count)| *count > 3 + passed / 4).max_by_key(|(passed, count)| count * 4 - passed);
    best.map(|(passed, count)| Short::Same { passed, count })
}

fn lengthen(stored: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(stored.len() * 3);
    let mut rest = stored;
    let mut other_place = 0;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match *byte {
            DIGEST => push_digits(&mut text, take(&mut rest)?, false),
            UUID => push_digits(&mut text, take(&mut rest)?, true),
            MOMENT => {
                let [a, b, c, d, e, f] = take(&mut rest)?;
                text.extend(u64::from_be_bytes([0, 0, a, b, c, d, e, f]).to_string().into_bytes());
            }
            SAME => {
                let [passed, count] = take(&mut rest)?;
                let from = other_place + usize::from(passed);
                other_place = from + usize::from(count);
                text.extend_from_slice(other.get(from..other_place)?);
            }
            DIFFERENT => return None,
            LONG => {
                let [letter] = take(&mut rest)?;
                let number = usize::from(letter.checked_sub(FIRST_LETTER)?) + SHORT.len();
                text.extend_from_slice(PHRASES.get(number)?.as_bytes());
            }
            marked if is_marked(&marked) => {
                let number = SHORT.iter().position(|short| *short == marked)?;
                text.extend_from_slice(PHRASES.get(number)?.as_bytes());
            }
            byte => text.push(byte),
        }
    }
    Some(text)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

fn push_digits(text: &mut Vec<u8>, bytes: [u8; 16], dashes: bool) {
    for (place, byte) in bytes.into_iter().enumerate() {
        if dashes && matches!(place, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend([byte >> 4, byte & 15].map(|value| b"0123456789abcdef"[usize::from(value)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(text: &str) -> usize {
        let short = shortened(text);
        let whole = whole(&short).map(Cow::into_owned);
        assert_eq!(whole.as_deref(), Some(text.as_bytes()), "{short:?}");
        short.len()
    }

    #[test]
    fn a_text_reads_as_it_was_written() {
        let all = PHRASES.concat();
        let doubled: String = PHRASES.iter().map(|phrase| format!("{phrase}é\n{phrase}x")).collect();
        let digits =
            "0123456789abcdef".repeat(9) + &"9".repeat(51) + "0179527845589801a1feef-4459-7106-a62f-30e278b44f67-8";
        for text in ["", "{}", "null", "\"\u{1f600}, \\u0001\"", &all, &doubled, &all.repeat(40), &digits] {
            there_and_back(text);
            assert_eq!(whole(&phrased(text)).as_deref(), Some(text.as_bytes()));
        }
        for first in 0..digits.len() {
            there_and_back(&digits[first..]);
        }
    }

    const CHECKPOINT: &str = "{\"seq\":6,\"parent\":5,\"run\":\"173-01a1feb1-0436-75d0-819a-907c400bcfdd\",\"gen\":0,\"superstep\":6,\
        \"at\":1795274376249,\"full\":false,\"writes\":{},\"segments\":{\"said\":{\"base\":0,\"end\":4}},\
        \"wrote\":{\"said\":\"say4\"},\"control\":{\"activations\":{\"once\":\"f3\"},\"arrived\":[],\"full_bytes\":1030,\
        \"open\":{\"ask#1\":{\"base\":6}},\"since_full\":0,\"steps\":6,\"tokens\":0},\
        \"hash\":\"ceafa91f0e057165f68b8acb22842721\"}";

    #[test]
    fn a_checkpoint_takes_less_than_a_third_of_its_text() {
        assert!(there_and_back(CHECKPOINT) * 3 < CHECKPOINT.len(), "{:?}", shortened(CHECKPOINT));
    }

    #[test]
    fn one_of_the_same_commit_takes_a_sixth() {
        let text = CHECKPOINT.replace("say4", "keep").replace("\"seq\":6", "\"seq\":5").replace("ceaf", "dead");
        let text = text.replace("\"writes\":{}", "\"writes\":{\"said\":\"a\"}");
        let short = difference(&text, CHECKPOINT, 1).unwrap_or_default();
        assert_eq!(whole_beside(&short, CHECKPOINT.as_bytes()).as_deref(), Some(text.as_bytes()));
        assert_eq!((distance(&short), whole(&short)), (Some(1), None));
        assert!(short.len() * 6 < text.len(), "{} of {}", short.len(), text.len());
        for cut in 0..short.len() {
            let _ = whole_beside(&short[..cut], CHECKPOINT.as_bytes());
            let _ = whole_beside(&short, &CHECKPOINT.as_bytes()[..cut]);
        }
    }

    #[test]
    fn a_long_text_is_not_compared() {
        assert_eq!(difference(&"a".repeat(3_000), CHECKPOINT, 1), None);
    }

    #[test]
    fn an_unknown_number_is_not_read_as_something_else() {
        assert_eq!(whole(b"a\x1f\x7f"), None);
        assert_eq!(whole(b"a\x1f"), None);
        assert_eq!(whole(b"\x00"), None);
    }

    /// `lua/edit.lua` finds parent and hash by these numbers, and by the plain text.
    #[test]
    fn a_checkpoint_begins_and_ends_as_its_script_knows() {
        let short = shortened("{\"seq\":16,\"parent\":15,\"run\":\"x\",\"hash\":\"ab\"}");
        assert!(short.starts_with(b"\x0116\x0215") && short.ends_with(b"ab\"}"), "{short:?}");
        let short = shortened(CHECKPOINT);
        assert_eq!(short[short.len() - 19], DIGEST);
    }

    #[test]
    fn every_phrase_has_a_number_of_its_own() {
        let numbers: std::collections::BTreeSet<&str> = PHRASES.into_iter().collect();
        assert_eq!(numbers.len(), PHRASES.len());
        assert!(PHRASES.iter().all(|phrase| phrase_at(phrase.as_bytes()).is_some() && phrase.len() > 2));
    }
}
