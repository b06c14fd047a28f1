//! The JSON Schema of the language for editors: it lets in every graph that is fine, and
//! catches of those that are not what a schema can.

use jsonschema::Validator;
use serde_json::Value;

use super::super::problem::Report;
use super::super::{SCHEMA, canonical, yaml};
use super::examples;

/// Codes that the schema catches in every graph that has them.
const CAUGHT: [&str; 12] = [
    "unknown_key",
    "unsupported_yet",
    "two_works",
    "two_forms",
    "no_then",
    "unquoted_expression",
    "wrong_arm",
    "missing_key",
    "wrong_number",
    "wrong_type",
    "wrong_version",
    "unknown_type",
];

fn validator() -> &'static Validator {
    static VALIDATOR: std::sync::OnceLock<Validator> = std::sync::OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        jsonschema::options().build(&schema).unwrap()
    })
}

/// A text as an editor's reader of YAML sees it.
fn value(text: &str) -> Option<Value> {
    let mut report = Report::default();
    let root = yaml::load(text, &mut report)?;
    report.is_empty().then(|| canonical::to_json(&root))
}

/// Holds the schema to what validation says of a text.
pub(super) fn agree(text: &str, codes: &[String]) {
    let Some(value) = value(text) else { return };
    let errors: Vec<String> =
        validator().iter_errors(&value).map(|error| format!("{} {error}", error.instance_path())).collect();
    if codes.is_empty() {
        assert!(errors.is_empty(), "the schema refuses a graph that is fine: {errors:#?}\n{text}");
    }
    if codes.iter().any(|code| CAUGHT.contains(&code.as_str())) {
        assert!(!errors.is_empty(), "the schema lets in what has {codes:?}\n{text}");
    }
}

#[test]
fn the_schema_lets_in_every_example() {
    for (_, text) in examples() {
        agree(&text, &[]);
    }
}

#[test]
fn an_editor_says_that_durations_need_units() {
    let with = |timeout: &str| {
        format!("baton: 1\ngraph: g\nstart: a\nnodes:\n  a: {{ tool: {{ name: t }}, timeout: {timeout}, then: end }}\n")
    };
    agree(&with("5s"), &[]);
    for timeout in ["5", "\"5\"", "5 seconds", "1.5h"] {
        assert!(!validator().is_valid(&value(&with(timeout)).unwrap()), "{timeout}");
    }
}
