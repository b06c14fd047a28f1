//! Whether a value may enter a channel: integers widen into numbers, numbers never narrow
//! into integers.
//!
//! Plain types are looked at here, without compiling a schema on every write; all else is
//! [`crate::expr::schema`]'s.

use baton_common::{Failure, Shared};
use serde_json::{Number, Value};

use crate::expr::schema::accept;

/// The value as the channel holds it.
///
/// # Errors
/// `type_mismatch` when it does not satisfy the schema.
pub(super) fn conform(channel: &str, schema: &Value, value: Value) -> Result<Value, Failure> {
    let mismatch = |why: String| Failure::invalid("type_mismatch", format!("channel {channel} {why}"));
    let Some(kind) = plain(schema) else {
        return accept(schema, value).map_err(|wrong| mismatch(format!("does not take it: {}", wrong.join("; "))));
    };
    let value = match value {
        Value::Number(number) if kind == "number" => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Number(number), Value::Number)
        }
        other => other,
    };
    if is_of(kind, &value) { Ok(value) } else { Err(mismatch(format!("takes {kind}, not {}", name_of(&value)))) }
}

/// As [`conform`], for a value that others may hold too.
///
/// # Errors
/// As there.
pub(super) fn conform_shared(channel: &str, schema: &Value, value: Shared) -> Result<Shared, Failure> {
    match plain(schema) {
        Some(kind) if kind != "number" && is_of(kind, &value) => Ok(value),
        _ => conform(channel, schema, value.into()).map(Shared::from),
    }
}

/// A graph's output as its schema has it.
///
/// # Errors
/// `type_mismatch` when it does not satisfy the schema.
pub(super) fn conform_output(schema: &Value, output: Value) -> Result<Value, Failure> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_plain = |name: &String, value: &Value| match properties.and_then(|all| all.get(name)) {
        Some(Value::Object(schema)) if schema.is_empty() => true,
        Some(Value::Object(schema)) if schema.len() == 1 => match schema.get("type") {
            Some(Value::String(kind)) => kind != "number" && is_of(kind, value),
            Some(Value::Array(kinds)) => {
                !kinds.iter().any(|kind| kind == "number")
                    && kinds.iter().filter_map(Value::as_str).any(|kind| is_of(kind, value))
            }
            _ => false,
        },
        _ => properties.is_none(),
    };
    if output.as_object().is_some_and(|members| members.iter().all(|(name, value)| is_plain(name, value))) {
        return Ok(output);
    }
    let mismatch = |wrong: Vec<String>| Failure::invalid("type_mismatch", format!("output {}", wrong.join("; ")));
    accept(schema, output).map_err(mismatch)
}

/// Whether an object satisfies a schema that says no more of its members than plain types
/// and which must be there; `None` where the schema says more, or a number may have to widen.
pub(crate) fn satisfies(schema: &Value, value: &Value) -> Option<bool> {
    let (schema, members) = (schema.as_object()?, value.as_object()?);
    let known = ["type", "properties", "required", "additionalProperties"];
    let is_closed = schema.get("additionalProperties").is_none_or(Value::is_boolean);
    if !schema.keys().all(|key| known.contains(&key.as_str())) || !is_closed {
        return None;
    }
    let properties = schema.get("properties")?.as_object()?;
    for (name, value) in members {
        let kind = plain(properties.get(name)?).filter(|kind| *kind != "number")?;
        if !is_of(kind, value) {
            return Some(false);
        }
    }
    let mut required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    Some(required.all(|name| name.as_str().is_some_and(|name| members.contains_key(name))))
}

/// The type of a schema that says nothing else about its values.
fn plain(schema: &Value) -> Option<&str> {
    let members = schema.as_object()?;
    let kind = members.get("type")?.as_str()?;
    let is_known = |name: &String| matches!(name.as_str(), "type" | "default" | "title" | "description");
    (members.len() == 1 || members.keys().all(is_known)).then_some(kind)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => value.is_null(),
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
    fn a_schema_is_held_to_in_its_depths() {
        let id =
            json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 2}}});
        let schema = json!({"type": "array", "items": id});
        assert!(conform("x", &schema, json!([{"id": "ab"}])).is_ok());
        for wrong in [json!([{"id": 1}]), json!([{}]), json!([{"id": "a"}])] {
            assert_eq!(conform("x", &schema, wrong).unwrap_err().code, "type_mismatch");
        }
    }
}
