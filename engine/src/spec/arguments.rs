//! Arguments against the schema of what they are for: names, types and what must be there,
//! as far as it is certain before anything is rendered.

use serde_json::Value;

use super::problem::Report;
use super::reader::literal;
use super::scalar::{Scalar, scalar};
use super::view::View;
use super::yaml::{Content, Entry, Node};
use crate::expr::{Kind, Template, article, schema};

/// Reports what of the arguments cannot fit. `what` they are for stands in the messages.
pub(super) fn check(report: &mut Report, given: &Node, schema: &Value, view: &View<'_>, what: &str) {
    match &given.content {
        Content::Map(entries) => {
            if fits_kind(report, given, schema, Kind::Object, what) {
                object(report, given, entries, schema, view, what);
            }
        }
        Content::List(elements) => {
            if fits_kind(report, given, schema, Kind::Array, what)
                && let Some(items) = schema.get("items")
            {
                elements.iter().for_each(|element| check(report, element, items, view, what));
            }
        }
        Content::Scalar { text, quoted } => leaf(report, given, (text, *quoted), schema, view, what),
    }
}

/// Reports what must be there and is not; `at` is where the arguments would stand.
pub(super) fn check_none(report: &mut Report, at: super::problem::Place, schema: &Value, what: &str) {
    let names = required(schema, &[]);
    if !names.is_empty() {
        missing(report, at, &names, what);
    }
}

fn object(report: &mut Report, given: &Node, entries: &[Entry], schema: &Value, view: &View<'_>, what: &str) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for entry in entries {
        let property = properties.and_then(|properties| properties.get(&entry.key));
        match (property, schema.get("additionalProperties")) {
            (Some(property), _) => check(report, &entry.value, property, view, &format!("{} of {what}", entry.key)),
            (None, Some(Value::Bool(false))) => {
                let known = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
                let known: Vec<&str> = known.collect();
                report
                    .add("unknown_argument", entry.key_at, format!("{what} takes no {}", entry.key))
                    .suggest(&entry.key, known.iter().copied());
            }
            (None, Some(other)) if other.is_object() => {
                check(report, &entry.value, other, view, &format!("{} of {what}", entry.key));
            }
            (None, _) => {}
        }
    }
    let given_names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let names = required(schema, &given_names);
    if !names.is_empty() {
        missing(report, given.at, &names, what);
    }
}

/// The names that must be given and are not; one with a default need not.
fn required<'s>(schema: &'s Value, given: &[&str]) -> Vec<&'s str> {
    let names = schema.get("required").and_then(Value::as_array);
    let has_default = |name: &str| schema.pointer(&format!("/properties/{name}/default")).is_some();
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| !given.contains(name) && !has_default(name)).collect()
}

fn missing(report: &mut Report, at: super::problem::Place, names: &[&str], what: &str) {
    let list = names.join(", ");
    report
        .add("missing_argument", at, format!("{what} needs {list}"))
        .label(format!("without {list}"))
        .help(format!("args: {{ {}: … }}", names[0]));
}

fn leaf(report: &mut Report, node: &Node, (text, quoted): (&str, bool), schema: &Value, view: &View<'_>, what: &str) {
    let is_text = quoted || matches!(scalar(text), Scalar::Text | Scalar::Ambiguous(_));
    if is_text && (text.contains("{{") || text.contains("{%")) {
        // What is no template was reported where it was compiled.
        if let Ok(template) = Template::compile(&Value::String(text.to_owned())) {
            fits_kind(report, node, schema, template.infer(&|path| view.kind_of(path)), what);
        }
        return;
    }
    let Some(value) = (if is_text { Some(Value::String(text.to_owned())) } else { literal(report, node) }) else {
        return;
    };
    if value.is_null() || !fits_kind(report, node, schema, kind_of(&value), what) {
        return;
    }
    if let Err(wrong) = schema::accept(schema, value) {
        report.add("type_mismatch", node.at, format!("{what}: {}", wrong.join("; ")));
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) if number.is_f64() => Kind::Number,
        Value::Number(_) => Kind::Integer,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// Whether a value of that kind may fit; reports it if not.
fn fits_kind(report: &mut Report, node: &Node, schema: &Value, kind: Kind, what: &str) -> bool {
    if accepts(schema, kind) {
        return true;
    }
    let wanted = match Kind::of_schema(schema) {
        Kind::Any => schema.get("type").map(ToString::to_string).unwrap_or_default(),
        wanted => article(wanted),
    };
    let problem = report.add("type_mismatch", node.at, format!("{what} is {wanted}, not {}", article(kind)));
    if let Content::Scalar { text, quoted: true } = &node.content
        && matches!(scalar(text), Scalar::Number { .. } | Scalar::Boolean(_))
    {
        problem.help(format!("write it without quotes: {text}"));
    } else if let Content::Scalar { quoted: false, text } = &node.content
        && Kind::of_schema(schema) == Kind::String
    {
        problem.help(format!("put it in quotes: \"{text}\""));
    }
    false
}

/// Whether a schema lets in some value of that kind; what is not certain is let in.
fn accepts(schema: &Value, kind: Kind) -> bool {
    if matches!(kind, Kind::Any | Kind::Null) {
        return true;
    }
    let fits = |name: &str| name == kind.name() || (name == "number" && kind == Kind::Integer);
    match schema.get("type") {
        Some(Value::String(name)) => fits(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(fits),
        _ => ["anyOf", "oneOf"].iter().all(|key| {
            let variants = schema.get(key).and_then(Value::as_array);
            variants.is_none_or(|variants| variants.iter().any(|variant| accepts(variant, kind)))
        }),
    }
}
