//! Types of inputs, fields and channels.

use serde_json::{Map, Value, json};

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub struct Type(pub(super) Value);

impl Type {
    /// Text.
    #[must_use]
    pub fn string() -> Self {
        Self(json!("string"))
    }

    /// A whole number.
    #[must_use]
    pub fn integer() -> Self {
        Self(json!("integer"))
    }

    /// A number.
    #[must_use]
    pub fn number() -> Self {
        Self(json!("number"))
    }

    /// True or false.
    #[must_use]
    pub fn boolean() -> Self {
        Self(json!("boolean"))
    }

    /// Values by name.
    #[must_use]
    pub fn object() -> Self {
        Self(json!("object"))
    }

    /// A list.
    #[must_use]
    pub fn array() -> Self {
        Self(json!("array"))
    }

    /// What a JSON Schema describes.
    #[must_use]
    pub fn schema(schema: Value) -> Self {
        Self(schema)
    }

    /// The same with a value where none is given.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self(with(self.0, "default", value.into()))
    }
}

/// A channel of the state.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel(pub(super) Value);

impl Channel {
    /// A channel whose writes replace its value.
    #[must_use]
    pub fn of(kind: Type) -> Self {
        Self(kind.0)
    }

    /// How writes join what is there: `last`, `append`, `union`, `sum`, `merge`, `messages`.
    #[must_use]
    pub fn reduce(self, reducer: &str) -> Self {
        Self(with(self.0, "reduce", json!(reducer)))
    }

    /// What it reads as before it is written.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self(with(self.0, "default", value.into()))
    }

    /// Lives on over the runs of its thread.
    #[must_use]
    pub fn keep(self) -> Self {
        Self(with(self.0, "keep", json!(true)))
    }
}

/// A member beside a type, whether that is a name or a schema.
fn with(kind: Value, name: &str, value: Value) -> Value {
    let mut members = match kind {
        Value::Object(members) => members,
        name => Map::from_iter([("type".to_owned(), name)]),
    };
    members.insert(name.to_owned(), value);
    Value::Object(members)
}
