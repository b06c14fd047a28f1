//! H: BLAKE3 cut to 128 bits over length-prefixed fields, and canonical JSON.
//!
//! Equal values give equal bytes in every process: object keys are sorted by bytes,
//! integers are written as integers, doubles in their shortest form that reads back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// 128 bits of BLAKE3; written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 16]);

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

    /// Two bytes of it, for jitter that is the same in every process.
    #[must_use]
    pub fn jitter(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = [0; 32];
        for (digits, byte) in text.chunks_exact_mut(2).zip(self.0) {
            digits.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
#[derive(Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// An empty list of fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, field: impl AsRef<[u8]>) -> Self {
        let bytes = field.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
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
        bytes.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Digest(bytes)
    }
}

/// The one text of a JSON value: keys sorted by bytes, no white space.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = Vec::with_capacity(128);
    // Writing a value into memory cannot fail: its keys are strings.
    let _ = write_canonical(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
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
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write_canonical(member, out)?;
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(&mut *out, scalar)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(Hasher::new().field("ab").field("c").finish(), Hasher::new().field("a").field("bc").finish());
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
