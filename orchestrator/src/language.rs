//! The graph language as callers meet it: a text becomes a graph or one clear error, and
//! values are held to their schemas. What a graph means is `engine`'s.

use baton_engine::graph::Graph;
use serde_json::{Value, json};

use crate::api::{ApiError, GraphSource};

/// Problems told of at a time.
const PROBLEMS_MAX: usize = 20;

/// Reads and validates a text.
///
/// # Errors
/// With every problem found, each with its place.
pub(crate) fn compile(source: &GraphSource) -> Result<Graph, ApiError> {
    let cure = "correct the graph";
    let _ = (&source.text, cure);
    Err(ApiError::internal("spec"))
}

/// Holds a value to a JSON Schema.
///
/// # Errors
/// Says where it breaks which rule. Values are quoted cut short, and schemas refer to
/// nothing outside themselves.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::validator_for(schema).map_err(|error| format!("the schema is broken: {error}"))?;
    let problems = validator.iter_errors(value).take(PROBLEMS_MAX).map(|error| {
        let place = error.instance_path().to_string();
        let said: String = error.to_string().chars().take(200).collect();
        if place.is_empty() { said } else { format!("{place}: {said}") }
    });
    let problems: Vec<String> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// The input with the graph's defaults in place of what is absent.
///
/// # Errors
/// When it is not what the graph takes.
pub(crate) fn complete_input(graph: &Graph, mut input: Value) -> Result<Value, ApiError> {
    let refused = |why: String| {
        let takes = graph.input.get("properties").and_then(Value::as_object);
        let names = takes.map(|properties| properties.keys().cloned().collect::<Vec<_>>().join(", "));
        let cure = match names {
            Some(names) if !names.is_empty() => format!("graph {} takes {names}", graph.name),
            _ => format!("graph {} takes no input: leave it out", graph.name),
        };
        ApiError::invalid("invalid_input", why, cure)
    };
    if input.is_null() {
        input = json!({});
    }
    let Value::Object(members) = &mut input else {
        return Err(refused("the input is an object with the graph's input names".to_owned()));
    };
    if let Some(properties) = graph.input.get("properties").and_then(Value::as_object) {
        for (name, schema) in properties {
            if let Some(default) = schema.get("default") {
                members.entry(name.clone()).or_insert_with(|| default.clone());
            }
        }
    }
    check(&graph.input, &input).map_err(refused)?;
    Ok(input)
}
