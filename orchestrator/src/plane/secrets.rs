//! Secrets: `{{ secret.NAME }}` in arguments becomes the value that operators configured,
//! in the answer to a claim and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::Failure;
use baton_engine::expr::SecretRef;
use serde_json::Value;

use crate::orchestrator::Inner;

/// The longest file that holds a secret, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

impl Inner {
    /// Puts secrets in place where the graph's own text names them, and nowhere else: what a
    /// model or a document wrote into the arguments stays a text. Whether there was any.
    ///
    /// # Errors
    /// When a secret is not configured or cannot be read. The message names it, not its value.
    pub(super) async fn put_secrets(&self, value: &mut Value, places: &[SecretRef]) -> Result<bool, Failure> {
        let mut known = BTreeMap::new();
        for place in places {
            if !known.contains_key(&place.name) {
                known.insert(place.name.clone(), self.secret(&place.name).await?);
            }
        }
        let pointers: BTreeSet<&str> = places.iter().map(|place| place.pointer.as_str()).collect();
        for pointer in pointers {
            if let Some(Value::String(text)) = value.pointer_mut(pointer) {
                *text = replaced(text, &known);
            }
        }
        Ok(!known.is_empty())
    }

    async fn secret(&self, name: &str) -> Result<String, Failure> {
        let missing = |why: &str| Failure::invalid("secret_missing", format!("secret {name} {why}"));
        let reference = self.settings.secrets.get(name).ok_or_else(|| missing("is not configured"))?;
        secret_text(reference).await.map_err(missing)
    }
}

/// The secret that a reference stands for: `env:NAME` or `file:PATH`.
///
/// # Errors
/// What is wrong with it, without its value.
pub(crate) async fn secret_text(reference: &str) -> Result<String, &'static str> {
    if let Some(variable) = reference.strip_prefix("env:") {
        return std::env::var(variable).map_err(|_| "names an environment variable that is not set");
    }
    let path = reference.strip_prefix("file:").ok_or("is configured as neither env:NAME nor file:PATH")?;
    let text = tokio::fs::read_to_string(path).await.map_err(|_| "names a file that cannot be read")?;
    if text.len() > FILE_BYTES_MAX {
        return Err("names a file that is too large");
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether any text looks like it names a secret: only then is the graph asked where one does.
pub(super) fn mentioned(value: &Value) -> bool {
    match value {
        Value::String(text) => pieces(text).any(|(_, name)| name.is_some()),
        Value::Array(items) => items.iter().any(mentioned),
        Value::Object(members) => members.values().any(mentioned),
        _ => false,
    }
}

fn replaced(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    for (literal, name) in pieces(text) {
        out.push_str(literal);
        out.push_str(name.and_then(|name| known.get(name)).map_or("", String::as_str));
    }
    out
}

/// The text cut at its placeholders: what stands before each, and its name.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let mut from = 0;
        while let Some(open) = whole[from..].find("{{").map(|at| at + from) {
            if let Some((name, end)) = placeholder(&whole[open..]) {
                rest = Some(&whole[open + end..]);
                return Some((&whole[..open], Some(name)));
            }
            from = open + 2;
        }
        rest = None;
        Some((whole, None))
    })
}

/// The name in a placeholder at the start of `text`, and where it ends.
fn placeholder(text: &str) -> Option<(&str, usize)> {
    let close = text.find("}}")?;
    let name = text.get(2..close)?.trim().strip_prefix("secret.")?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then_some((name, close + 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_found_and_replaced_once() {
        assert!(mentioned(&json!({"a": ["Bearer {{ secret.KEY }}!"], "n": 1})));
        assert!(!mentioned(&json!({"a": ["{{ other }} {{ secret. }}", "secret.KEY"]})));
        let known = BTreeMap::from([("KEY".to_owned(), "{{ secret.B }}".to_owned()), ("B".to_owned(), "b".to_owned())]);
        assert_eq!(replaced("Bearer {{ secret.KEY }}, {{secret.B}}", &known), "Bearer {{ secret.B }}, b");
    }
}
