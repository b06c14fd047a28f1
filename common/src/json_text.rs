//! A JSON value as the text it was written as: for what is read seldom and by few.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::spare;

/// The text of a JSON value. Within another value it stands as that value, not as a string.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// The text of a value.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut buffer = spare::take();
        serde_json::to_writer(&mut buffer, value)?;
        let text = str::from_utf8(&buffer).map(Box::from).map_err(serde_json::Error::custom);
        spare::give_back(buffer);
        text.map(Self)
    }

    /// What stands where there is nothing.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, read.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self::of(&value).unwrap_or_else(|_| Self::null())
    }
}

impl std::fmt::Debug for JsonText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_stands_in_others_as_its_value_and_comes_back_as_it_was() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Holder {
            held: JsonText,
        }
        let text = r#"{"held":{"b":1,"a":[null,"x"]}}"#;
        let holder: Holder = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&holder).unwrap(), text);
        assert_eq!(holder.held.read::<Value>().unwrap(), json!({"b": 1, "a": [null, "x"]}));
        assert_eq!(serde_json::from_value::<Holder>(json!({"held": 1})).unwrap().held, JsonText::from(json!(1)));
        assert_eq!((JsonText::null().as_str(), JsonText::from(Value::Null)), ("null", JsonText::null()));
        let long = "x".repeat(2 * spare::KEPT_BYTES_MAX);
        assert_eq!(JsonText::of(&long).unwrap().read::<String>().unwrap(), long);
        assert_eq!(JsonText::of(&1).unwrap().as_str(), "1", "nothing is left of the text before");
    }
}
