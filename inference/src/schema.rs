//! Schemas of answers: from the short `fields` of a graph to JSON Schema, and from JSON
//! Schema to the subset that providers enforce strictly.

use baton_common::Failure;
use serde_json::{Map, Value, json};

const SHORT_TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "array"];

/// Keywords that strict providers refuse and that can be dropped: the reply is checked
/// against the original schema anyway.
const DROPPED: [&str; 8] = ["default", "examples", "title", "$schema", "$id", "format", "minLength", "maxLength"];

/// Keywords whose meaning would be lost: with one of them the schema is sent as it is and
/// strictness is off.
const NOT_STRICT: [&str; 10] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
];

/// The JSON Schema of a `fields` map: name to a type's name or to a schema. Every field is
/// required unless it has a default; others are refused in the answer.
///
/// # Errors
/// `invalid` when a field is neither.
pub fn from_fields(fields: &Map<String, Value>) -> Result<Value, Failure> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in fields {
        let schema = match field {
            Value::String(kind) if SHORT_TYPES.contains(&kind.as_str()) => json!({ "type": kind }),
            Value::Object(_) => field.clone(),
            _ => {
                return Err(Failure::invalid(
                    "fields_invalid",
                    format!("field {name:?} is one of {} or a JSON Schema", SHORT_TYPES.join(", ")),
                ));
            }
        };
        if schema.get("default").is_none() {
            required.push(Value::String(name.clone()));
        }
        properties.insert(name.clone(), schema);
    }
    Ok(json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }))
}

/// The schema as a strict provider takes it: every property required (optional ones may be
/// null), nothing additional. `None` where that would change its meaning.
#[must_use]
pub fn strict(schema: &Value) -> Option<Value> {
    let object = schema.as_object()?;
    if NOT_STRICT.iter().any(|key| object.contains_key(*key)) {
        return None;
    }
    let mut out = Map::new();
    for (key, value) in object {
        if DROPPED.contains(&key.as_str()) {
            continue;
        }
        out.insert(key.clone(), strict_keyword(key, value)?);
    }
    let is_object = out.get("type").and_then(Value::as_str) == Some("object") || out.contains_key("properties");
    if is_object {
        close_object(object, &mut out)?;
    } else if out.get("type").and_then(Value::as_str) == Some("array") && !out.contains_key("items") {
        return None;
    }
    Some(Value::Object(out))
}

fn strict_keyword(key: &str, value: &Value) -> Option<Value> {
    match key {
        "properties" | "$defs" | "definitions" => {
            let members = value.as_object()?;
            let mut out = Map::new();
            for (name, member) in members {
                out.insert(name.clone(), strict(member)?);
            }
            Some(Value::Object(out))
        }
        "items" => strict(value),
        "anyOf" => Some(Value::Array(value.as_array()?.iter().map(strict).collect::<Option<_>>()?)),
        _ => Some(value.clone()),
    }
}

fn close_object(original: &Map<String, Value>, out: &mut Map<String, Value>) -> Option<()> {
    if original.get("additionalProperties").is_some_and(|value| *value != Value::Bool(false)) {
        return None;
    }
    let required: Vec<&str> = original
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = out.get_mut("properties").and_then(Value::as_object_mut)?;
    for (name, member) in properties.iter_mut() {
        if !required.contains(&name.as_str()) {
            *member = json!({ "anyOf": [member.take(), { "type": "null" }] });
        }
    }
    let names: Vec<Value> = properties.keys().cloned().map(Value::String).collect();
    out.insert("required".to_owned(), Value::Array(names));
    out.insert("additionalProperties".to_owned(), Value::Bool(false));
    Some(())
}

/// Takes back what [`strict`] added: a null where an optional property may be absent.
pub fn drop_optional_nulls(schema: &Value, value: &mut Value) {
    if let (Some(items), Value::Array(elements)) = (schema.get("items"), &mut *value) {
        for element in elements {
            drop_optional_nulls(items, element);
        }
        return;
    }
    let (Some(properties), Value::Object(members)) = (schema.get("properties").and_then(Value::as_object), value)
    else {
        return;
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
    members.retain(|name, member| !member.is_null() || is_required(name) || !properties.contains_key(name));
    for (name, member) in members.iter_mut() {
        if let Some(schema) = properties.get(name) {
            drop_optional_nulls(schema, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_a_closed_object() {
        let fields = json!({"ok": "boolean", "note": {"type": "string", "default": ""}});
        let schema = from_fields(fields.as_object().unwrap()).unwrap();
        assert_eq!(schema["required"], json!(["ok"]));
        assert_eq!(schema["additionalProperties"], false);
        let wrong = json!({"ok": "bool"});
        assert_eq!(from_fields(wrong.as_object().unwrap()).unwrap_err().code, "fields_invalid");
    }

    #[test]
    fn a_strict_schema_requires_everything_and_lets_the_optional_be_null() {
        let schema = json!({
            "type": "object", "required": ["a"],
            "properties": { "a": { "type": "string", "minLength": 1 }, "b": { "type": "integer" } }
        });
        assert_eq!(
            strict(&schema).unwrap(),
            json!({
                "type": "object", "required": ["a", "b"], "additionalProperties": false,
                "properties": {
                    "a": { "type": "string" },
                    "b": { "anyOf": [{ "type": "integer" }, { "type": "null" }] }
                }
            })
        );
        let mut value = json!({"a": "x", "b": null});
        drop_optional_nulls(&schema, &mut value);
        assert_eq!(value, json!({"a": "x"}));
    }

    #[test]
    fn a_schema_that_cannot_be_strict_says_so() {
        assert_eq!(strict(&json!({"type": "object", "additionalProperties": {"type": "string"}})), None);
        assert_eq!(strict(&json!({"oneOf": [{"type": "string"}]})), None);
        assert_eq!(strict(&json!({"type": "object"})), None, "an open object has no strict form");
    }
}
