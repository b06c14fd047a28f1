//! Filling a schema from quoted sentences: texts, sources, numbers and lists of them. What
//! would need a judgement is left out where it is optional and a clear failure otherwise.

use baton_common::Failure;
use serde_json::{Map, Number, Value, json};

use super::material::Material;
use super::terms::{Quote, select, terms};
use crate::{OutputSchema, structured};

/// Property names that ask for the citations, not for the words.
const SOURCE_NAMES: [&str; 6] = ["source", "sources", "citation", "citations", "references", "cites"];

/// Nested objects deeper than this are not filled.
const DEPTH_MAX: usize = 8;

/// A value for the schema.
///
/// # Errors
/// `permanent` with code `extractive_cannot` and the property's name.
pub(super) fn fill(output: &OutputSchema, material: &Material, quotes: &[Quote]) -> Result<Value, Failure> {
    let filler = Filler { material, quotes };
    let value = filler.value("", &output.schema, 0).ok_or_else(|| cannot(""))?;
    let value = value?;
    structured::check(output, &value).map_err(|failure| match failure.code.as_str() {
        "schema_invalid" => failure,
        _ => Failure::permanent("extractive_cannot", "the documents' sentences do not satisfy the output schema"),
    })?;
    Ok(value)
}

fn cannot(name: &str) -> Failure {
    Failure::permanent(
        "extractive_cannot",
        format!("extractive answers cannot fill {name:?}: it needs a model, or the documents do not say it"),
    )
}

struct Filler<'a> {
    material: &'a Material,
    quotes: &'a [Quote],
}

impl Filler<'_> {
    /// `None`: nothing to say, which only an optional property may.
    fn value(&self, name: &str, schema: &Value, depth: usize) -> Option<Result<Value, Failure>> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(fixed) = schema.get("const") {
            return Some(Ok(fixed.clone()));
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            return self.choice(choices).map(Ok);
        }
        match kind(schema)? {
            "object" => Some(self.object(schema, depth)),
            "array" => Some(self.array(name, schema, depth)),
            "string" => self.text(name).map(Value::String).map(Ok),
            "integer" if name == "page" => self.source(0).and_then(|source| source.page).map(|page| Ok(page.into())),
            "integer" => self.number(name, true).map(Ok),
            "number" => self.number(name, false).map(Ok),
            _ => None,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Result<Value, Failure> {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut members = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            match self.value(name, property, depth + 1) {
                Some(Ok(value)) => {
                    members.insert(name.clone(), value);
                }
                _ if !required.contains(&name.as_str()) => {}
                Some(Err(failure)) => return Err(failure),
                None => return Err(cannot(name)),
            }
        }
        Ok(Value::Object(members))
    }

    /// One element for each quoted sentence.
    fn array(&self, name: &str, schema: &Value, depth: usize) -> Result<Value, Failure> {
        let texts = json!({ "type": "string" });
        let items = schema.get("items").unwrap_or(&texts);
        if SOURCE_NAMES.contains(&name) && kind(items) == Some("string") {
            let mut citations: Vec<&str> = Vec::new();
            for quote in self.quotes {
                if !quote.citation.is_empty() && !citations.contains(&quote.citation.as_str()) {
                    citations.push(&quote.citation);
                }
            }
            return Ok(json!(citations));
        }
        let mut elements = Vec::new();
        for index in 0..self.quotes.len() {
            let one = Filler { material: self.material, quotes: &self.quotes[index..=index] };
            elements.push(one.value(name, items, depth + 1).ok_or_else(|| cannot(name))??);
        }
        Ok(Value::Array(elements))
    }

    fn text(&self, name: &str) -> Option<String> {
        if SOURCE_NAMES.contains(&name) {
            return self.quotes.first().map(|quote| quote.citation.clone());
        }
        if ["file", "document"].contains(&name) {
            return self.source(0).map(|source| source.file.clone());
        }
        if self.quotes.is_empty() {
            return None;
        }
        let cited = |quote: &Quote| format!("{} {}", quote.text, quote.citation).trim_end().to_owned();
        Some(self.quotes.iter().map(cited).collect::<Vec<_>>().join("\n"))
    }

    /// The number in the sentence that matches question and name best.
    fn number(&self, name: &str, whole: bool) -> Option<Value> {
        let asked = format!("{} {}", self.material.question, name.replace(['_', '-'], " "));
        let best = select(&asked, &self.material.passages, 4);
        let numbers = best.iter().flat_map(|quote| quote.text.split_whitespace()).filter_map(|word| {
            let word = word.trim_matches(|letter: char| !letter.is_ascii_digit());
            if whole { word.parse::<i64>().ok().map(Value::from) } else { decimal(word) }
        });
        numbers.into_iter().next()
    }

    /// The one choice that the quoted sentences name.
    fn choice(&self, choices: &[Value]) -> Option<Value> {
        let said: Vec<String> = self.quotes.iter().flat_map(|quote| terms(&quote.text)).collect();
        let mut named = choices.iter().filter(|choice| {
            choice.as_str().is_some_and(|text| {
                let words = terms(text);
                !words.is_empty() && words.iter().all(|word| said.contains(word))
            })
        });
        let first = named.next()?;
        named.next().is_none().then(|| first.clone())
    }

    fn source(&self, quote: usize) -> Option<&crate::Source> {
        self.material.passages.get(self.quotes.get(quote)?.passage)?.source.as_ref()
    }
}

fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ if schema.get("properties").is_some() => Some("object"),
        _ => None,
    }
}

fn decimal(word: &str) -> Option<Value> {
    word.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
}
