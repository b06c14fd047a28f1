//! Which blobs are referred to: found in the text of whatever may refer to them, and remembered
//! in a filter of a fixed size that may say yes for no, and never no for yes.

use std::sync::atomic::{AtomicU64, Ordering};

use baton_common::Digest;

/// Bits of the filter, a power of two: 8 MiB, for which a million marks are few.
const BITS: usize = 1 << 26;

const VALUES: &[u8] = b"values/";
const RUNS: &[u8] = b"runs/";
/// `ab/` and 32 digits.
const VALUE_BYTES: usize = 35;
/// `-` and at most so many digits.
const MARK_DIGITS_MAX: usize = 16;
/// `003-` and a uuid.
const RUN_BYTES: usize = 40;

/// What is referred to.
pub(super) struct Marks(Box<[AtomicU64]>);

impl Marks {
    pub(super) fn new() -> Self {
        Self((0..BITS / 64).map(|_| AtomicU64::new(0)).collect())
    }

    /// Marks every place that a text names; whether any was new.
    pub(super) fn add_text(&self, text: &[u8]) -> bool {
        let mut new = false;
        places(text, |place| new |= self.add(place));
        new
    }

    fn add(&self, place: &[u8]) -> bool {
        let mut new = false;
        for bit in bits(place) {
            let before = self.0[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
            new |= before & (1 << (bit % 64)) == 0;
        }
        new
    }

    pub(super) fn has(&self, place: &str) -> bool {
        bits(place.as_bytes()).into_iter().all(|bit| self.0[bit / 64].load(Ordering::Relaxed) & (1 << (bit % 64)) != 0)
    }
}

fn bits(place: &[u8]) -> [usize; 4] {
    let Digest(bytes) = Digest::of(place);
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize % BITS;
    [word(0), word(4), word(8), word(12)]
}

/// Calls for each `values/…` and `runs/<run>` that stands in a text.
fn places(text: &[u8], mut found: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(slash) = text[at..].iter().position(|byte| *byte == b'/').map(|place| at + place) {
        at = slash + 1;
        let before = &text[..at];
        if before.ends_with(VALUES) {
            let digits = |byte: &u8| byte.is_ascii_hexdigit();
            let rest = &text[at..];
            if rest.len() >= VALUE_BYTES && rest[2] == b'/' && rest[3..VALUE_BYTES].iter().all(digits) {
                let mut end = VALUE_BYTES;
                if rest.get(end) == Some(&b'-') {
                    let more = rest[end + 1..].iter().take(MARK_DIGITS_MAX).take_while(|byte| digits(byte)).count();
                    end += if more == MARK_DIGITS_MAX { 1 + more } else { 0 };
                }
                found(&text[at - VALUES.len()..at + end]);
            }
        } else if before.ends_with(RUNS) && text.len() >= at + RUN_BYTES {
            found(&text[at - RUNS.len()..at + RUN_BYTES]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_names_is_marked_however_deep_it_stands() {
        let digest = Digest::of("x").to_string();
        let key = format!("values/{}/{digest}", &digest[..2]);
        let marked = format!("{key}-00000000000abcde");
        let run = "runs/003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11";
        let inner = serde_json::json!({ "key": key, "other": [format!("{run}/files/a.md")] }).to_string();
        let outer =
            serde_json::json!({ "text": serde_json::json!({ "t": inner }).to_string(), "m": marked }).to_string();
        let mut found = Vec::new();
        places(outer.as_bytes(), |place| found.push(String::from_utf8_lossy(place).into_owned()));
        found.sort();
        assert_eq!(found, [run.to_owned(), key.clone(), marked]);
        let marks = Marks::new();
        assert!(!marks.has(&key) && marks.add_text(outer.as_bytes()) && marks.has(&key) && marks.has(run));
        assert!(!marks.add_text(outer.as_bytes()), "nothing new");
        assert!(!marks.has("values/00/00"));
    }

    #[test]
    fn what_only_looks_like_a_place_ends_nothing() {
        for text in
            ["", "/", "values/", "values/ab/cd", "runs/", "values/zz/z", "values/ab/0123456789abcdef0123456789abcde"]
        {
            places(text.as_bytes(), |place| panic!("{text}: {place:?}"));
        }
    }
}
