//! The named values of a path, a query or a body, taken out one by one. What nobody asked
//! for is refused with the nearest name, so that a typing error is never a default.

use std::fmt::Display;
use std::str::FromStr;

use baton_common::sources::nearest;
use serde_json::{Map, Value};

use crate::api::ApiError;

/// Named values, each known to be asked for.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: Map<String, Value>,
}

impl Fields {
    /// Values of which every name is known.
    pub(super) fn known<'n>(
        values: Map<String, Value>,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Self, ApiError> {
        match values.keys().find(|name| !known.clone().any(|known| known == name.as_str())) {
            None => Ok(Self { values }),
            Some(name) => {
                let cure = match nearest(name, known.clone()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => match known.collect::<Vec<_>>() {
                        none if none.is_empty() => "leave it out: nothing is taken here".to_owned(),
                        names => format!("use some of {}", names.join(", ")),
                    },
                };
                Err(malformed(name, "unknown field").cure(cure))
            }
        }
    }

    /// A query's values, all of them texts.
    pub(super) fn of_query(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut values = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if values.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
                return Err(malformed(&name, "it is given twice"));
            }
        }
        Self::known(values, known.iter().copied())
    }

    /// The values of a path.
    pub(super) fn of_path<'n>(values: impl IntoIterator<Item = (&'n str, &'n str)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        Self { values: values.collect() }
    }

    /// Whatever stands there.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    /// Whatever stands there, which must be something.
    pub(super) fn needed(&mut self, name: &str) -> Result<Value, ApiError> {
        self.value(name).ok_or_else(|| malformed(name, "it is missing"))
    }

    /// A text. Empty is as good as none.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(malformed(name, format!("it is {} and must be a text", kind(&other)))),
        }
    }

    /// A text that must be there.
    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| malformed(name, "it is missing"))
    }

    /// An id and the like, as text.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        let text = self.text(name)?;
        text.map(|text| text.parse().map_err(|error| malformed(name, error))).transpose()
    }

    /// An id and the like that must be there.
    pub(super) fn needed_parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<T, ApiError> {
        self.parsed(name)?.ok_or_else(|| malformed(name, "it is missing"))
    }

    /// A whole number: as such in a body, as text in a query.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = match self.value(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| malformed(name, "it must be a whole number, not below 0"))
    }

    /// Whether something is asked for: `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(malformed(name, "it must be true or false")),
        }
    }

    /// An object whose values are texts.
    pub(super) fn texts(&mut self, name: &str) -> Result<std::collections::BTreeMap<String, String>, ApiError> {
        let Some(value) = self.value(name).filter(|value| !value.is_null()) else { return Ok(Default::default()) };
        serde_json::from_value(value).map_err(|_| malformed(name, "it must be an object whose values are texts"))
    }
}

/// A request that is not what the document describes.
pub(super) fn malformed(field: &str, cause: impl Display) -> ApiError {
    let field: String = field.chars().take(100).collect();
    ApiError::invalid("malformed_request", format!("{field}: {cause}"), "send what /openapi.json describes")
}

trait Cure {
    fn cure(self, cure: String) -> Self;
}

impl Cure for ApiError {
    fn cure(mut self, cure: String) -> Self {
        self.cure = cure;
        self
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value, known: &[&str]) -> Result<Fields, ApiError> {
        let Value::Object(values) = value else { panic!("no object") };
        Fields::known(values, known.iter().copied())
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_nearest_one() {
        let error = fields(json!({"inptu": {}}), &["graph", "input"]).expect_err("misspelt");
        assert_eq!((error.code.as_str(), error.cure.as_str()), ("malformed_request", "did you mean input?"));
        assert!(error.cause.contains("inptu"), "{error}");
        let error = Fields::of_query(Some("limt=3"), &["limit"]).expect_err("misspelt");
        assert_eq!(error.cure, "did you mean limit?");
        let error = Fields::of_query(Some("limit=3&limit=4"), &["limit"]).expect_err("twice");
        assert!(error.cause.contains("twice"), "{error}");
    }

    #[test]
    fn values_are_taken_as_what_they_must_be() {
        let mut found = fields(json!({"a": "", "b": 7, "c": null, "d": -1}), &["a", "b", "c", "d"]).expect("known");
        assert_eq!((found.text("a").expect("a text"), found.text("c").expect("none")), (None, None));
        assert_eq!(found.number("b").expect("a number"), Some(7));
        assert!(found.number("d").is_err() && found.needed("e").is_err());
        let mut query = Fields::of_query(Some("after=12&thread=a%2Fb"), &["after", "thread"]).expect("known");
        assert_eq!(query.number("after").expect("a number"), Some(12));
        assert_eq!(query.text("thread").expect("a text").as_deref(), Some("a/b"));
    }
}
