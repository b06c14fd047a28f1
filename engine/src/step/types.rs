//! Whether a value may enter a channel: integers widen into numbers, numbers never narrow
//! into integers.
//!
//! Covers what channel types are made of: `type`, `enum`, `const`, `items`, `properties`,
//! `required`. Whether a schema itself makes sense is validation's business.

use baton_common::Failure;
use serde_json::Value;

/// The value as the channel holds it.
///
/// # Errors
/// `type_mismatch` when it does not satisfy the schema.
pub(super) fn conform(channel: &str, schema: &Value, value: Value) -> Result<Value, Failure> {
    let value = widen(schema, value);
    match mismatch(schema, &value) {
        None => Ok(value),
        Some(why) => Err(Failure::invalid("type_mismatch", format!("channel {channel} {why}"))),
    }
}

fn widen(schema: &Value, value: Value) -> Value {
    let is_number = schema.get("type").and_then(Value::as_str) == Some("number");
    match value {
        Value::Number(number) if is_number => {
            number.as_f64().and_then(serde_json::Number::from_f64).map_or(Value::Number(number), Value::Number)
        }
        other => other,
    }
}

fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(false) => return Some("takes no value".to_owned()),
        Value::Object(members) => members,
        _ => return None,
    };
    if let Some(types) = schema.get("type") {
        let fits = match types {
            Value::String(name) => is_of(name, value),
            Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| is_of(name, value)),
            _ => true,
        };
        if !fits {
            return Some(format!("takes {}, not {}", type_names(types), name_of(value)));
        }
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        return Some("takes one of a few values, not this one".to_owned());
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Some("takes one value, not this one".to_owned());
    }
    match value {
        Value::Array(elements) => {
            let items = schema.get("items")?;
            elements.iter().find_map(|element| mismatch(items, element)).map(|why| format!("in an element: {why}"))
        }
        Value::Object(members) => {
            if let Some(Value::Array(required)) = schema.get("required")
                && let Some(name) = required.iter().filter_map(Value::as_str).find(|name| !members.contains_key(*name))
            {
                return Some(format!("needs the member {name}"));
            }
            let Some(Value::Object(properties)) = schema.get("properties") else { return None };
            let mut names: Vec<&String> = properties.keys().collect();
            names.sort();
            names.into_iter().find_map(|name| {
                let why = mismatch(&properties[name], members.get(name)?)?;
                Some(format!("in its member {name}: {why}"))
            })
        }
        _ => None,
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn type_names(types: &Value) -> String {
    match types {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "something else".to_owned(),
    }
}

/// The name of a value's type, as graphs spell it.
pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_integer_enters_a_number_channel_as_double() {
        let value = conform("x", &json!({"type": "number"}), json!(3)).unwrap();
        assert!(value.is_f64(), "{value}");
    }

    #[test]
    fn a_number_never_enters_an_integer_channel() {
        let failure = conform("x", &json!({"type": "integer"}), json!(3.0)).unwrap_err();
        assert_eq!(failure.code, "type_mismatch");
        assert_eq!(failure.message, "channel x takes integer, not number");
    }

    #[test]
    fn members_and_elements_are_checked() {
        let schema = json!({"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}});
        assert!(conform("x", &schema, json!([{"id": "a"}])).is_ok());
        assert!(conform("x", &schema, json!([{"id": 1}])).is_err());
        assert!(conform("x", &schema, json!([{}])).is_err());
    }
}
