//! Values that travel: inline while small, by reference into the blob store beyond that.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;

/// Values up to this many bytes of JSON travel inline; larger ones go to the blob store.
pub const INLINE_BYTES_MAX: usize = 256 * 1024;

/// A blob: where it lies, what it weighs and what it holds. The key is relative to the
/// tenant's area of the blob store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// Path within the tenant's area.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
    /// H of the content.
    pub digest: Digest,
    /// Media type, `application/json` for values.
    pub media_type: String,
}

/// A value or the place where it lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The value itself.
    Inline(Value),
    /// A JSON value kept as a blob.
    Blob(BlobRef),
}

impl Payload {
    /// The inline value, if it is one.
    #[must_use]
    pub fn inline(&self) -> Option<&Value> {
        match self {
            Self::Inline(value) => Some(value),
            Self::Blob(_) => None,
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Inline(value)
    }
}

/// Bytes of the compact JSON, counted without keeping them.
#[must_use]
pub fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing a value into a counter cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_counted_as_it_is_written() {
        for value in [json!({"a": [1, 2.5, "x\n\"é"]}), json!(null), json!("…")] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}
