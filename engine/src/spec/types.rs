//! Types: a name of six, or a JSON Schema; and maps of name to type.

use serde_json::{Map, Value, json};

use super::problem::{Place, Report};
use super::reader::{entries, literal, text};
use super::yaml::{Content, Entry, Node};
use crate::expr::schema;

/// Names of types.
pub(super) const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "array"];

/// One name with its schema.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: Value,
    pub(super) default: Option<Value>,
}

/// The fields of `input`, `fields` or `state`. `beside` are keys that are no part of the
/// schema.
pub(super) fn fields(report: &mut Report, node: &Node, what: &str, beside: &[&str]) -> Vec<Field> {
    entries(report, node, what).iter().map(|entry| field(report, entry, what, beside)).collect()
}

fn field(report: &mut Report, entry: &Entry, what: &str, beside: &[&str]) -> Field {
    let name = entry.key.as_str();
    if !is_identifier(name) {
        report
            .add("wrong_name", entry.key_at, format!("{name:?} is no name of a field of {what}"))
            .help("names are made of letters, digits and _, and begin with no digit");
    }
    // What is wrong with a type was said once; whatever uses the field is let be.
    let schema = match &entry.value.content {
        Content::Map(parts) => {
            let of_schema = |part: &&Entry| !beside.contains(&part.key.as_str()) && part.key != "default";
            let parts: Vec<Entry> = parts.iter().filter(of_schema).cloned().collect();
            json_schema(report, &Node { content: Content::Map(parts), at: entry.value.at }, what)
        }
        _ => json_schema(report, &entry.value, what),
    };
    let schema = schema.unwrap_or_else(|| json!({}));
    let default = entry.value.get("default").and_then(|node| default(report, node, &schema));
    Field { name: name.to_owned(), schema, default }
}

/// A default, which must satisfy its schema.
fn default(report: &mut Report, node: &Node, schema: &Value) -> Option<Value> {
    if schema.get("type").and_then(Value::as_str) == Some("string")
        && let Content::Scalar { text: written, .. } = &node.content
        && !["null", "~", ""].contains(&written.as_str())
    {
        return text(report, node, "the default").map(|text| Value::String(text.to_owned()));
    }
    let value = literal(report, node)?;
    if value.is_null() {
        return Some(value);
    }
    match schema::accept(schema, value) {
        Ok(value) => Some(value),
        Err(wrong) => {
            report.add("type_mismatch", node.at, format!("the default does not fit its type: {}", wrong.join("; ")));
            None
        }
    }
}

/// A type name or a JSON Schema as a JSON Schema.
pub(super) fn json_schema(report: &mut Report, node: &Node, what: &str) -> Option<Value> {
    if let Content::Map(_) = &node.content {
        let schema = literal(report, node)?;
        let known: Vec<&str> = TYPES.into_iter().chain(["null"]).collect();
        if let Some(name) = schema.get("type").and_then(Value::as_str)
            && !known.contains(&name)
        {
            let at = node.get("type").map_or(node.at, |node| node.at);
            unknown_type(report, at, name, known.iter().copied());
            return None;
        }
        return match schema::compile(&schema) {
            Ok(_) => Some(schema),
            Err(why) => {
                report.add("wrong_schema", node.at, format!("no JSON Schema: {why}"));
                None
            }
        };
    }
    let name = text(report, node, &format!("a type in {what}"))?;
    if TYPES.contains(&name) {
        return Some(json!({"type": name}));
    }
    unknown_type(report, node.at, name, TYPES);
    None
}

/// Our name of a type that others call so.
fn our_name(name: &str) -> Option<&'static str> {
    match name {
        "bool" => Some("boolean"),
        "int" | "long" => Some("integer"),
        "float" | "double" | "num" => Some("number"),
        "str" | "text" => Some("string"),
        "list" => Some("array"),
        "map" | "dict" => Some("object"),
        _ => None,
    }
}

fn unknown_type<'n>(report: &mut Report, at: Place, name: &str, known: impl IntoIterator<Item = &'n str> + Clone) {
    let problem = report.add("unknown_type", at, format!("there is no type {name}"));
    match our_name(name) {
        Some(ours) => _ = problem.help(format!("did you mean {ours}?")),
        None => _ = problem.suggest(name, known),
    }
}

/// The schema of an object with these fields; those without a default are required.
pub(super) fn object(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = field.schema.clone();
        match (&field.default, &mut schema) {
            (Some(default), Value::Object(members)) => _ = members.insert("default".to_owned(), default.clone()),
            (Some(_), _) => {}
            (None, _) => required.push(field.name.clone()),
        }
        properties.insert(field.name.clone(), schema);
    }
    required.sort();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Lets an object have no other members than those it names.
pub(super) fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// Whether an expression can name it.
pub(super) fn is_identifier(name: &str) -> bool {
    name.chars().all(|mark| mark.is_ascii_alphanumeric() || mark == '_')
        && name.chars().next().is_some_and(|mark| !mark.is_ascii_digit())
        && !["true", "false", "null", "in"].contains(&name)
}
