//! A JSON value that several hold at once: a channel, a checkpoint, whoever looks.
//!
//! It is copied only by who changes it, and its one text is written once. What it means is
//! left to those who hold it.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Hasher, canonical_json};

/// Longer texts are not kept beside their values, in bytes.
const KEPT_TEXT_BYTES_MAX: usize = 64 * 1024;

/// A JSON value that several hold. Cloning it is cheap.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Default)]
struct Inner {
    value: Value,
    text: OnceLock<Text>,
}

/// The canonical text, where it is short enough to keep, and its length.
struct Text {
    kept: Option<Box<str>>,
    bytes: usize,
}

impl Shared {
    /// Bytes of its canonical text.
    #[must_use]
    pub fn canonical_bytes(&self) -> usize {
        self.text().bytes
    }

    /// Adds its canonical text to a hash, as one field.
    pub fn hash_into(&self, hasher: &mut Hasher) {
        match &self.text().kept {
            Some(text) => hasher.add(&**text),
            None => hasher.add(canonical_json(self)),
        }
    }

    /// The value, to be changed: a copy where others hold it too.
    pub fn make_mut(&mut self) -> &mut Value {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::new(Inner { value: self.0.value.clone(), text: OnceLock::new() });
        }
        // Nobody else holds it now, so that this makes no copy.
        let inner = Arc::make_mut(&mut self.0);
        inner.text = OnceLock::new();
        &mut inner.value
    }

    fn text(&self) -> &Text {
        self.0.text.get_or_init(|| {
            let text = canonical_json(&self.0.value);
            let bytes = text.len();
            Text { kept: (bytes <= KEPT_TEXT_BYTES_MAX).then(|| text.into_boxed_str()), bytes }
        })
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), text: OnceLock::new() }
    }
}

impl Deref for Shared {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl From<Value> for Shared {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { value, text: OnceLock::new() }))
    }
}

impl From<Shared> for Value {
    fn from(shared: Shared) -> Self {
        match Arc::try_unwrap(shared.0) {
            Ok(inner) => inner.value,
            Err(held) => held.value.clone(),
        }
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.value.fmt(f)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_changes_a_value_leaves_that_of_others_as_it_was() {
        let first = Shared::from(json!([1]));
        assert_eq!(first.canonical_bytes(), 3);
        let mut second = first.clone();
        *second.make_mut() = json!([1, 2]);
        assert_eq!((&*first, &*second), (&json!([1]), &json!([1, 2])));
        assert_eq!((first.canonical_bytes(), second.canonical_bytes()), (3, 5));
        *second.make_mut() = json!([]);
        assert_eq!(second.canonical_bytes(), 2, "its text is that of the value it has now");
    }

    #[test]
    fn a_value_hashes_as_its_text_whatever_its_length() {
        for value in [json!({"b": 1, "a": null}), json!("x".repeat(2 * KEPT_TEXT_BYTES_MAX))] {
            let expected = Hasher::new().field(canonical_json(&value)).finish();
            let shared = Shared::from(value);
            for _ in 0..2 {
                let mut hasher = Hasher::new();
                shared.hash_into(&mut hasher);
                assert_eq!(hasher.finish(), expected);
            }
        }
    }
}
