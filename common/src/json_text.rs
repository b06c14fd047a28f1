//! A JSON value as the text it was written as: for what is read seldom and by few.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// The text of a JSON value. Within another value it stands as that value, not as a string.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// The text of a value.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        to_raw_value(value).map(Self)
    }

    /// What stands where there is nothing.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The value, read.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.as_str())
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self::of(&value).unwrap_or_else(|_| Self::null())
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl std::fmt::Debug for JsonText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
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
    }
}
