//! JSON Schemas of inputs, answers and channels: whether they make sense, what they let
//! in, defaults, and integers that become doubles where a number is asked for.
//!
//! References lead nowhere outside of the schema, and patterns match in linear time.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Number, Value};

/// A compiled schema.
///
/// # Errors
/// Why it is none, as a phrase.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    if let Some(reference) = outside_reference(schema) {
        return Err(format!("$ref leads outside of the schema: {reference}"));
    }
    let patterns = PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20);
    let options = jsonschema::options().with_pattern_options(patterns).offline();
    options.build(schema).map_err(|error| error.to_string())
}

fn outside_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Array(elements) => elements.iter().find_map(outside_reference),
        Value::Object(members) => members.iter().find_map(|(name, member)| match (name.as_str(), member) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) if !to.starts_with('#') => Some(to.as_str()),
            ("$schema" | "$id" | "id", Value::String(to)) if name != "$schema" && to.contains("://") => {
                Some(to.as_str())
            }
            _ => outside_reference(member),
        }),
        _ => None,
    }
}

/// The value with defaults of missing members and with integers as doubles where a number
/// is asked for, checked against the schema.
///
/// # Errors
/// Every mismatch as a phrase that names the place and holds no value.
pub(crate) fn accept(schema: &Value, value: Value) -> Result<Value, Vec<String>> {
    let value = fill(schema, value);
    let validator = compile(schema).map_err(|why| vec![why])?;
    let mut wrong: Vec<String> = Vec::new();
    narrowed(schema, &value, "", &mut wrong);
    for error in validator.iter_errors(&value) {
        let place = error.instance_path().to_string();
        wrong.push(if place.is_empty() { error.masked().to_string() } else { format!("{place}: {}", error.masked()) });
    }
    if wrong.is_empty() { Ok(value) } else { Err(wrong) }
}

/// The schema of a member; `None` where nothing is known of it.
///
/// # Errors
/// The members there are, when it is none of them.
pub(crate) fn member<'s>(schema: &'s Value, name: &str) -> Result<Option<&'s Value>, Vec<&'s str>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(found) = properties.and_then(|properties| properties.get(name)) {
        return Ok(Some(found));
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => {
            Err(properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect())
        }
        other => Ok(other.filter(|other| other.is_object())),
    }
}

fn fill(schema: &Value, value: Value) -> Value {
    match value {
        Value::Number(number) if schema.get("type").and_then(Value::as_str) == Some("number") => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Number(number), Value::Number)
        }
        Value::Array(elements) => match schema.get("items") {
            Some(items) => Value::Array(elements.into_iter().map(|element| fill(items, element)).collect()),
            None => Value::Array(elements),
        },
        Value::Object(mut members) => {
            let Some(Value::Object(properties)) = schema.get("properties") else { return Value::Object(members) };
            for (name, property) in properties {
                match (members.remove(name), property.get("default")) {
                    (Some(member), _) => _ = members.insert(name.clone(), fill(property, member)),
                    (None, Some(default)) => _ = members.insert(name.clone(), fill(property, default.clone())),
                    (None, None) => {}
                }
            }
            Value::Object(members)
        }
        other => other,
    }
}

/// Doubles where an integer is asked for: JSON Schema lets `1.0` pass, graphs do not.
fn narrowed(schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Number(number)
            if number.is_f64()
                && number.as_f64().is_some_and(|double| double.fract() == 0.0)
                && schema.get("type").and_then(Value::as_str) == Some("integer") =>
        {
            wrong.push(format!("{place}: value is not of type \"integer\""));
        }
        Value::Array(elements) => {
            if let Some(items) = schema.get("items") {
                for (index, element) in elements.iter().enumerate() {
                    narrowed(items, element, &format!("{place}/{index}"), wrong);
                }
            }
        }
        Value::Object(members) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                if let Some(member) = members.get(name) {
                    narrowed(property, member, &format!("{place}/{name}"), wrong);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_come_in_and_integers_widen_but_never_narrow() {
        let schema = json!({"type": "object", "required": ["n"], "properties": {
            "n": {"type": "number"}, "i": {"type": "integer", "default": 3},
        }});
        let filled = accept(&schema, json!({"n": 1})).unwrap();
        assert_eq!(filled, json!({"n": 1.0, "i": 3}));
        assert_eq!(accept(&schema, json!({"n": 1, "i": 2.0})).unwrap_err(), ["/i: value is not of type \"integer\""]);
        assert_eq!(accept(&schema, json!({})).unwrap_err(), ["\"n\" is a required property"]);
    }

    #[test]
    fn messages_hold_no_values() {
        let wrong = accept(&json!({"type": "object", "properties": {"a": {"type": "integer"}}}), json!({"a": "hush"}));
        assert_eq!(wrong.unwrap_err(), ["/a: value is not of type \"integer\""]);
    }

    #[test]
    fn a_schema_cannot_reach_outside() {
        for schema in [json!({"$ref": "http://localhost/x"}), json!({"items": {"$ref": "file:///etc/passwd"}})] {
            assert!(compile(&schema).unwrap_err().contains("leads outside"), "{schema}");
        }
        assert!(compile(&json!({"type": "strnig"})).is_err());
        assert!(compile(&json!({"pattern": "(?<=a)b"})).is_err(), "patterns that backtrack are refused");
    }
}
