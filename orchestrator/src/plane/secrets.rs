//! Secrets: `{{ secret.NAME }}` in arguments becomes the value that operators configured,
//! in the answer to a claim and nowhere else.

use std::collections::BTreeMap;

use baton_common::Failure;
use serde_json::Value;

use crate::orchestrator::Inner;

/// The longest file that holds a secret, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

impl Inner {
    /// Puts secrets in place; whether there was any.
    ///
    /// # Errors
    /// When a secret is not configured or cannot be read. The message names it, not its value.
    pub(super) async fn put_secrets(&self, value: &mut Value) -> Result<bool, Failure> {
        let mut names = Vec::new();
        find(value, &mut names);
        names.sort();
        names.dedup();
        let mut known = BTreeMap::new();
        for name in names {
            let secret = self.secret(&name).await?;
            known.insert(name, secret);
        }
        if known.is_empty() {
            return Ok(false);
        }
        replace(value, &known);
        Ok(true)
    }

    async fn secret(&self, name: &str) -> Result<String, Failure> {
        let missing = |why: &str| Failure::invalid("secret_missing", format!("secret {name} {why}"));
        let reference = self.settings.secrets.get(name).ok_or_else(|| missing("is not configured"))?;
        if let Some(variable) = reference.strip_prefix("env:") {
            return std::env::var(variable).map_err(|_| missing("names an environment variable that is not set"));
        }
        let Some(path) = reference.strip_prefix("file:") else {
            return Err(missing("is configured as neither env:NAME nor file:PATH"));
        };
        let text = tokio::fs::read_to_string(path).await.map_err(|_| missing("names a file that cannot be read"))?;
        if text.len() > FILE_BYTES_MAX {
            return Err(missing("names a file that is too large"));
        }
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn find(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => names.extend(pieces(text).filter_map(|(_, name)| name.map(str::to_owned))),
        Value::Array(items) => items.iter().for_each(|item| find(item, names)),
        Value::Object(members) => members.values().for_each(|member| find(member, names)),
        _ => {}
    }
}

fn replace(value: &mut Value, known: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            let mut out = String::with_capacity(text.len());
            for (literal, name) in pieces(text) {
                out.push_str(literal);
                out.push_str(name.and_then(|name| known.get(name)).map_or("", String::as_str));
            }
            *text = out;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, known)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, known)),
        _ => {}
    }
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
    fn placeholders_are_found_and_replaced_wherever_they_stand() {
        let mut value = json!({"a": ["Bearer {{ secret.KEY }}!", "{{ other }} {{secret.B}}"], "n": 1});
        let mut names = Vec::new();
        find(&value, &mut names);
        names.sort();
        assert_eq!(names, ["B", "KEY"]);
        let known = BTreeMap::from([("KEY".to_owned(), "{{ secret.B }}".to_owned()), ("B".to_owned(), "b".to_owned())]);
        replace(&mut value, &known);
        assert_eq!(value, json!({"a": ["Bearer {{ secret.B }}!", "{{ other }} b"], "n": 1}), "replaced once only");
    }
}
