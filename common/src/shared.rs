//! A JSON value that several hold at once: a channel, a checkpoint, whoever looks.
//!
//! It is copied only by who changes it, and its one text is written once. A list knows the ids
//! of its elements once it was asked for one. What it means is left to those who hold it.

use std::collections::BTreeSet;
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
    ids: OnceLock<BTreeSet<Box<str>>>,
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

    /// Whether it is a list of which an element has that `id`. Only the first call walks the list.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        let elements = || self.0.value.as_array().map(Vec::as_slice).unwrap_or_default();
        self.0.ids.get_or_init(|| elements().iter().filter_map(id_of).map(Box::from).collect()).contains(id)
    }

    /// Lets a list grow: a copy where others hold it too. What is no list stays as it is.
    pub fn extend(&mut self, added: Vec<Value>) {
        let known = Arc::get_mut(&mut self.0).and_then(|inner| inner.ids.take());
        let inner = self.own();
        let Value::Array(elements) = &mut inner.value else { return };
        if let Some(mut ids) = known {
            ids.extend(added.iter().filter_map(id_of).map(Box::from));
            inner.ids = ids.into();
        }
        elements.extend(added);
    }

    /// The value, to be changed: a copy where others hold it too.
    pub fn make_mut(&mut self) -> &mut Value {
        &mut self.own().value
    }

    fn own(&mut self) -> &mut Inner {
        let inner = Arc::make_mut(&mut self.0);
        (inner.text, inner.ids) = (OnceLock::new(), OnceLock::new());
        inner
    }

    fn text(&self) -> &Text {
        self.0.text.get_or_init(|| {
            let text = canonical_json(&self.0.value);
            let bytes = text.len();
            Text { kept: (bytes <= KEPT_TEXT_BYTES_MAX).then(|| text.into_boxed_str()), bytes }
        })
    }
}

impl From<Value> for Inner {
    fn from(value: Value) -> Self {
        Self { value, ..Self::default() }
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        self.value.clone().into()
    }
}

/// The `id` of an element, where it is an object that has one.
#[must_use]
pub fn id_of(element: &Value) -> Option<&str> {
    element.get("id").and_then(Value::as_str)
}

impl Deref for Shared {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl From<Value> for Shared {
    fn from(value: Value) -> Self {
        Self(Arc::new(value.into()))
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
    fn a_list_knows_the_ids_of_its_elements_as_it_grows_and_when_it_is_changed() {
        let mut list = Shared::from(json!([{"id": "a"}, {"id": 1}, "b"]));
        assert!(list.has_id("a") && !list.has_id("1") && !list.has_id("b"));
        let before = list.clone();
        list.extend(vec![json!({"id": "c"})]);
        assert!(list.has_id("a") && list.has_id("c") && !before.has_id("c"), "a copy has ids of its own");
        list.extend(vec![json!({"id": "d"}), json!(7)]);
        assert!(list.has_id("c") && list.has_id("d"));
        assert_eq!(list.as_array().map(Vec::len), Some(6));
        assert_eq!(list.canonical_bytes(), list.to_string().len());
        *list.make_mut() = json!([{"id": "e"}]);
        assert!(list.has_id("e") && !list.has_id("a"));
        let mut other = Shared::from(json!({"id": "f"}));
        other.extend(vec![json!(1)]);
        assert_eq!((&*other, other.has_id("f")), (&json!({"id": "f"}), false));
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
