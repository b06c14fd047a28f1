//! Reading a structured answer: from a model's words to a value that satisfies the schema.

use baton_common::Failure;
use serde_json::Value;

use crate::{OutputSchema, schema};

/// The value that the words hold, checked against the schema.
///
/// # Errors
/// `transient` with code `model_output_invalid` when the words are no JSON or break the
/// schema, since another attempt may do better; `invalid` with `schema_invalid` when the
/// schema itself is broken.
pub fn read(output: &OutputSchema, text: &str) -> Result<Value, Failure> {
    let mut value: Value = serde_json::from_str(strip_fence(text.trim())).map_err(|_| {
        Failure::transient("model_output_invalid", "the model's answer is not the JSON it was asked for")
    })?;
    schema::drop_optional_nulls(&output.schema, &mut value);
    check(output, &value)?;
    Ok(value)
}

/// Checks a value against the schema.
///
/// # Errors
/// As [`read`].
pub fn check(output: &OutputSchema, value: &Value) -> Result<(), Failure> {
    let validator = jsonschema::validator_for(&output.schema).map_err(|error| {
        let text: String = error.to_string().chars().take(200).collect();
        Failure::invalid("schema_invalid", format!("the output schema cannot be used: {text}"))
    })?;
    match validator.iter_errors(value).next() {
        None => Ok(()),
        // The value is the model's: its place is told, not its content.
        Some(error) => Err(Failure::transient(
            "model_output_invalid",
            format!("the model's answer breaks its schema at {:?}", error.instance_path().to_string()),
        )),
    }
}

/// Models without enforced schemas like to wrap JSON in a code fence.
fn strip_fence(text: &str) -> &str {
    let Some(inner) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn output() -> OutputSchema {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        OutputSchema { name: "answer".to_owned(), schema }
    }

    #[test]
    fn a_fenced_answer_is_read() {
        assert_eq!(read(&output(), "```json\n{\"n\": 1}\n```").unwrap(), json!({"n": 1}));
    }

    #[test]
    fn an_answer_off_its_schema_may_be_tried_again() {
        for text in ["no json", r#"{"n": "one"}"#, "{}"] {
            let failure = read(&output(), text).unwrap_err();
            assert_eq!(failure.code, "model_output_invalid");
            assert!(failure.class.retryable());
        }
    }

    #[test]
    fn a_broken_schema_is_the_callers_fault() {
        let output = OutputSchema { name: "x".to_owned(), schema: json!({"type": "no such type"}) };
        assert_eq!(read(&output, "1").unwrap_err().code, "schema_invalid");
    }
}
