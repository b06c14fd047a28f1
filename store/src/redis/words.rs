//! Records with their usual words cut short, for what a store keeps by the hundred thousand.
//!
//! A record's JSON text says the same few phrases again and again. Each of them is written as
//! one or two bytes below 0x20, which JSON text never holds but for white space. So a text tells
//! by itself whether it was cut short, and one that was not is read as it is. Texts that scripts
//! look into are left alone, but for what `lua/edit.lua` reads at both ends of a checkpoint.

use std::borrow::Cow;

/// Phrases by their number, each of them at least three bytes long. They only ever grow at the
/// end: what was written with a number is read with it.
const PHRASES: [&str; 34] = [
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

/// The text with its phrases cut short.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() > SHORTENED_BYTES_MAX {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut short = Vec::with_capacity(text.len());
    let mut place = 0;
    while let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
        match phrase_at(rest) {
            Some(number) => {
                match SHORT.get(number) {
                    Some(byte) => short.push(*byte),
                    None => short.extend([LONG, FIRST_LETTER + (number - SHORT.len()) as u8]),
                }
                place += PHRASES[number].len();
            }
            None => {
                short.push(rest[0]);
                place += 1;
            }
        }
    }
    String::from_utf8(short).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The longest phrase at the beginning of this. What no phrase begins with is told at once.
fn phrase_at(rest: &[u8]) -> Option<usize> {
    if !matches!(
        rest,
        [b',' | b'{', b'"', ..] | [b'}' | b'"' | b']', b',' | b'}', ..] | [b'1', b',', ..] | [b'i', b'o', ..]
    ) {
        return None;
    }
    let found = PHRASES.iter().enumerate().filter(|(_, phrase)| rest.starts_with(phrase.as_bytes()));
    found.max_by_key(|(_, phrase)| phrase.len()).map(|(number, _)| number)
}

/// A stored text as it was; nothing where a number is unknown.
pub(super) fn whole(stored: &[u8]) -> Option<Cow<'_, [u8]>> {
    let marked = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t');
    if !stored.iter().any(marked) {
        return Some(Cow::Borrowed(stored));
    }
    let mut text = Vec::with_capacity(stored.len() * 3);
    let mut bytes = stored.iter();
    while let Some(byte) = bytes.next() {
        let number = if *byte == LONG {
            usize::from(bytes.next()?.checked_sub(FIRST_LETTER)?) + SHORT.len()
        } else if marked(byte) {
            SHORT.iter().position(|short| short == byte)?
        } else {
            text.push(*byte);
            continue;
        };
        text.extend_from_slice(PHRASES.get(number)?.as_bytes());
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(text: &str) -> usize {
        let short = shortened(text);
        let whole = whole(short.as_bytes()).map(Cow::into_owned);
        assert_eq!(whole.as_deref(), Some(text.as_bytes()), "{short:?}");
        short.len()
    }

    #[test]
    fn a_text_reads_as_it_was_written() {
        let all = PHRASES.concat();
        let doubled: String = PHRASES.iter().map(|phrase| format!("{phrase}é\n{phrase}x")).collect();
        for text in ["", "{}", "null", "\"\u{1f600}, \\u0001\"", &all, &doubled, &all.repeat(40)] {
            there_and_back(text);
        }
    }

    #[test]
    fn a_checkpoint_takes_less_than_half_of_its_text() {
        let text = "{\"seq\":6,\"parent\":5,\"run\":\"173-01a1feb1-0436-75d0-819a-907c400bcfdd\",\"gen\":0,\"superstep\":6,\
            \"at\":1795274376249,\"full\":false,\"writes\":{},\"segments\":{\"said\":{\"base\":0,\"end\":4}},\
            \"wrote\":{\"said\":\"say4\"},\"control\":{\"activations\":{\"once\":\"f3\"},\"arrived\":[],\"full_bytes\":1030,\
            \"open\":{\"ask#1\":{\"base\":6}},\"since_full\":0,\"steps\":6,\"tokens\":0},\
            \"hash\":\"ceafa91f0e057165f68b8acb22842721\"}";
        assert!(there_and_back(text) * 2 < text.len(), "{:?}", shortened(text));
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
        assert!(short.starts_with("\u{1}16\u{2}15") && short.ends_with("ab\"}"), "{short:?}");
    }

    #[test]
    fn every_phrase_has_a_number_of_its_own() {
        let numbers: std::collections::BTreeSet<&str> = PHRASES.into_iter().collect();
        assert_eq!(numbers.len(), PHRASES.len());
        assert!(PHRASES.iter().all(|phrase| phrase_at(phrase.as_bytes()).is_some() && phrase.len() > 2));
    }
}
