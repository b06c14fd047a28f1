//! What comes in from outside while a run is set up or waits: its input, and answers to its
//! questions, checked against what the graph declares.

use baton_common::Failure;
use baton_common::commit::QuestionForm;
use serde_json::{Value, json};

use crate::expr::schema::accept;
use crate::graph::Graph;
use crate::spec::names::nearest;
use crate::step::types::satisfies;

impl Graph {
    /// The input with its defaults, integers as doubles where a number is declared.
    ///
    /// # Errors
    /// `invalid_input`, naming everything that is missing, unknown or of another type.
    pub fn check_input(&self, input: &Value) -> Result<Value, Failure> {
        let input = if input.is_null() { json!({}) } else { input.clone() };
        let declared = self.input.get("properties").and_then(Value::as_object);
        let mut unknown = Vec::new();
        for name in input.as_object().into_iter().flat_map(|members| members.keys()) {
            if declared.is_some_and(|declared| !declared.contains_key(name)) {
                let names = declared.into_iter().flat_map(|declared| declared.keys().map(String::as_str));
                unknown.push(match nearest(name, names) {
                    Some(near) => format!("there is no {name}, did you mean {near}?"),
                    None => format!("there is no {name}"),
                });
            }
        }
        if !unknown.is_empty() {
            return Err(Failure::invalid("invalid_input", unknown.join("; ")));
        }
        let input = with_defaults(&self.input, input);
        if satisfies(&self.input, &input) == Some(true) {
            return Ok(input);
        }
        accept(&self.input, input).map_err(|wrong| Failure::invalid("invalid_input", wrong.join("; ")))
    }
}

fn with_defaults(schema: &Value, mut input: Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Value::Object(members) = &mut input {
        for (name, property) in properties.into_iter().flatten() {
            if let Some(default) = property.get("default").filter(|_| !members.contains_key(name)) {
                members.insert(name.clone(), default.clone());
            }
        }
    }
    input
}

/// What the node's `output` becomes by a decision: `{action, value, comment, by}` for an
/// approval, where `value` is the original unless the action is `edit`; the decision itself
/// for a schema.
///
/// # Errors
/// `invalid_answer`, saying what an answer must look like.
pub fn check_answer(form: &QuestionForm, decision: &Value, by: &str) -> Result<Value, Failure> {
    match form {
        QuestionForm::Approval { original, allow, schema } => approval(original, allow, schema.as_ref(), decision, by),
        QuestionForm::Schema(schema) => accept(schema, decision.clone()).map_err(|wrong| invalid(&wrong.join("; "))),
    }
}

fn approval(
    original: &Value,
    allow: &[String],
    schema: Option<&Value>,
    decision: &Value,
    by: &str,
) -> Result<Value, Failure> {
    let allowed = || format!("action is one of {}", allow.join(", "));
    let Some(members) = decision.as_object() else {
        return Err(invalid(&format!("an answer is an object like {{\"action\":\"approve\"}}; {}", allowed())));
    };
    if let Some(name) = members.keys().find(|name| !["action", "value", "comment"].contains(&name.as_str())) {
        return Err(invalid(&format!("there is no {name}: an answer has action, value and comment")));
    }
    let action = members.get("action").and_then(Value::as_str).ok_or_else(|| invalid(&allowed()))?;
    if !allow.iter().any(|name| name == action) {
        return Err(invalid(&format!("{}; got {action}", allowed())));
    }
    let value = match (action, members.get("value")) {
        ("edit", Some(value)) => match schema {
            Some(schema) => accept(schema, value.clone()).map_err(|wrong| invalid(&wrong.join("; ")))?,
            None => value.clone(),
        },
        ("edit", None) => return Err(invalid("edit needs a value")),
        (_, Some(value)) if value != original => return Err(invalid("only edit takes a value")),
        _ => original.clone(),
    };
    let comment = match members.get("comment") {
        None | Some(Value::Null) if action == "respond" => return Err(invalid("respond needs a comment")),
        None => &Value::Null,
        Some(comment @ (Value::String(_) | Value::Null)) => comment,
        Some(_) => return Err(invalid("comment is a text")),
    };
    Ok(json!({"action": action, "value": value, "comment": comment, "by": by}))
}

fn invalid(why: &str) -> Failure {
    Failure::invalid("invalid_answer", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approve(decision: Value) -> Result<Value, String> {
        let allow = ["approve", "edit", "reject"].map(str::to_owned).to_vec();
        let form = QuestionForm::Approval { original: json!("draft"), allow, schema: Some(json!({"type": "string"})) };
        check_answer(&form, &decision, "ada").map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_approval_gives_the_original_unless_it_edits() {
        for (decision, expected) in [
            (
                json!({"action": "approve"}),
                json!({"action": "approve", "value": "draft", "comment": null, "by": "ada"}),
            ),
            (
                json!({"action": "edit", "value": "better", "comment": "typo"}),
                json!({"action": "edit", "value": "better", "comment": "typo", "by": "ada"}),
            ),
            (
                json!({"action": "reject", "comment": "no"}),
                json!({"action": "reject", "value": "draft", "comment": "no", "by": "ada"}),
            ),
        ] {
            assert_eq!(approve(decision), Ok(expected));
        }
    }

    #[test]
    fn an_answer_that_does_not_fit_is_refused_with_the_cure() {
        for (decision, why) in [
            (json!("approve"), "an answer is an object like"),
            (json!({}), "action is one of approve, edit, reject"),
            (json!({"action": "respond"}), "got respond"),
            (json!({"action": "edit"}), "edit needs a value"),
            (json!({"action": "edit", "value": 7}), "is not of type"),
            (json!({"action": "approve", "value": "x"}), "only edit takes a value"),
            (json!({"action": "approve", "coment": "x"}), "there is no coment"),
            (json!({"action": "reject", "comment": 7}), "comment is a text"),
        ] {
            let refused = approve(decision).unwrap_err();
            assert!(refused.starts_with("invalid_answer: ") && refused.contains(why), "{refused}");
        }
        let form = QuestionForm::Schema(
            json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}),
        );
        assert_eq!(check_answer(&form, &json!({"n": 1}), "ada"), Ok(json!({"n": 1})));
        assert!(check_answer(&form, &json!({"n": "1"}), "ada").is_err());
    }
}
