//! H: BLAKE3 cut to 128 bits over length-prefixed fields, and canonical JSON.
//!
//! Equal values give equal bytes in every process: object keys are sorted by bytes,
//! integers are written as integers, doubles in their shortest form that reads back.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::ids::Text;
use crate::spare;

/// 128 bits of BLAKE3; written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 16]);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Digest {
    /// The digest of one field.
    #[must_use]
    pub fn of(field: impl AsRef<[u8]>) -> Self {
        Hasher::new().field(field).finish()
    }

    /// The digest written in hexadecimal, if `text` is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digest of the phase after this one: what a job runs on once it goes on.
    #[must_use]
    pub fn next_phase(self) -> Self {
        Hasher::new().field("phase").field(self.0).finish()
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        str::from_utf8(&self.digits()).unwrap_or_default().to_owned()
    }

    /// The bytes of its text.
    #[must_use]
    pub fn digits(&self) -> [u8; 32] {
        let mut text = [0; 32];
        for (place, byte) in self.0.into_iter().enumerate() {
            text[2 * place] = HEX[usize::from(byte >> 4)];
            text[2 * place + 1] = HEX[usize::from(byte & 15)];
        }
        text
    }

    /// Two bytes of it, for jitter that is the same in every process.
    #[must_use]
    pub fn jitter(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }
}

/// Builds a [`Digest`] from fields, each preceded by its length so that no two lists of
/// fields share their bytes.
///
/// Fields are gathered and hashed a stretch at a time: most digests are of a few short ones.
pub struct Hasher {
    /// Only who has it can make the digest.
    key: Option<[u8; 32]>,
    gathered: Vec<u8>,
    before: Option<Box<blake3::Hasher>>,
}

/// How much is gathered before it is hashed, in bytes.
const STRETCH_BYTES: usize = 64 * 1024;

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// An empty list of fields.
    #[must_use]
    pub fn new() -> Self {
        Self { key: None, gathered: spare::take(), before: None }
    }

    /// The same, for a digest that proves who made it.
    #[must_use]
    pub fn keyed(key: &[u8; 32]) -> Self {
        Self { key: Some(*key), ..Self::new() }
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, field: impl AsRef<[u8]>) -> Self {
        self.add(field);
        self
    }

    /// Adds one field.
    pub fn add(&mut self, field: impl AsRef<[u8]>) {
        let bytes = field.as_ref();
        self.gathered.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        if self.gathered.len() + bytes.len() > STRETCH_BYTES {
            let key = &self.key;
            let empty = || Box::new(key.as_ref().map_or_else(blake3::Hasher::new, blake3::Hasher::new_keyed));
            let before = self.before.get_or_insert_with(empty);
            before.update(&self.gathered);
            before.update(bytes);
            self.gathered.clear();
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    /// Adds the text of an id as one field.
    #[must_use]
    pub fn text(mut self, field: &impl Text) -> Self {
        let from = self.gathered.len() + size_of::<u64>();
        self.gathered.resize(from, 0);
        // Memory takes whatever is written.
        let _ = field.add_to(&mut Bytes(&mut self.gathered));
        let bytes = (self.gathered.len() - from) as u64;
        self.gathered[from - size_of::<u64>()..from].copy_from_slice(&bytes.to_le_bytes());
        self
    }

    /// Adds a number as one field of eight bytes.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.field(number.to_le_bytes())
    }

    /// The digest of the fields so far.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 16];
        let hash = match (self.before, &self.key) {
            (None, None) => blake3::hash(&self.gathered),
            (None, Some(key)) => blake3::keyed_hash(key, &self.gathered),
            (Some(mut before), _) => before.update(&self.gathered).finalize(),
        };
        spare::give_back(self.gathered);
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Digest(bytes)
    }
}

/// Texts as bytes.
struct Bytes<'a>(&'a mut Vec<u8>);

impl fmt::Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Builds the digest of one field that comes piece by piece: what [`Digest::of`] answers to the
/// whole, whose length is known before.
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Of a field of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes.to_le_bytes());
        Self(hasher)
    }

    /// Adds the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest, if the pieces were as long as was said; another one otherwise.
    #[must_use]
    pub fn finish(&self) -> Digest {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Digest(bytes)
    }
}

/// The one text of a JSON value: keys sorted by bytes, no white space.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = Vec::with_capacity(128);
    append_canonical_json(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Adds the one text of a JSON value to others.
pub fn append_canonical_json(value: &Value, out: &mut Vec<u8>) {
    // Writing a value into memory cannot fail: its keys are strings.
    let _ = write_canonical(value, out);
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            if members.keys().is_sorted() {
                return write_members(members.iter(), out);
            }
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            write_members(members.into_iter(), out)?;
        }
        scalar => serde_json::to_writer(&mut *out, scalar)?,
    }
    Ok(())
}

fn write_members<'a>(
    members: impl Iterator<Item = (&'a String, &'a Value)>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    out.push(b'{');
    for (index, (key, member)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        write_canonical(member, out)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_in_pieces_has_the_digest_of_the_whole() {
        let whole = vec![7_u8; 200_000];
        let mut pieces = ContentHasher::new(whole.len() as u64);
        whole.chunks(1_234).for_each(|piece| pieces.add(piece));
        assert_eq!(pieces.finish(), Digest::of(&whole));
        assert_ne!(ContentHasher::new(1).finish(), Digest::of(""));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(Hasher::new().field("ab").field("c").finish(), Hasher::new().field("a").field("bc").finish());
    }

    #[test]
    fn fields_count_alike_however_many_are_gathered() {
        let mut plain = blake3::Hasher::new();
        let mut hasher = Hasher::new();
        for length in [0, 1, 100, STRETCH_BYTES, 7, 3 * STRETCH_BYTES, STRETCH_BYTES - 20, 9] {
            let field = vec![7_u8; length];
            plain.update(&(length as u64).to_le_bytes());
            plain.update(&field);
            hasher.add(&field);
        }
        assert_eq!(hasher.finish().0, plain.finalize().as_bytes()[..16]);
    }

    #[test]
    fn a_text_is_a_field_like_any_other_and_a_key_makes_another_digest() {
        let plain = || Hasher::new().field("a").field("12").finish();
        assert_eq!(Hasher::new().field("a").text(&crate::Fence(12)).finish(), plain());
        let (key, long) = ([7; 32], "x".repeat(STRETCH_BYTES));
        for text in ["12", &long] {
            let mut bytes = [&1_u64.to_le_bytes()[..], b"a"].concat();
            bytes.extend([&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat());
            let hash = blake3::keyed_hash(&key, &bytes);
            let keyed = Hasher::keyed(&key).field("a").field(text).finish();
            assert_eq!(keyed.0, hash.as_bytes()[..16]);
            assert_ne!(keyed, plain());
        }
    }

    #[test]
    fn key_order_does_not_matter() {
        let left = canonical_json(&json!({"b": 1, "a": [true, null, 1.5, "x"]}));
        assert_eq!(left, r#"{"a":[true,null,1.5,"x"],"b":1}"#);
    }

    #[test]
    fn a_digest_reads_back() {
        let digest = Digest::of("baton");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("zz"), None);
    }
}
