//! Paths looked up in a scope, and values written as text: what most templates need.

use baton_common::canonical_json;
use serde_json::Value;

use super::{Path, Scope};

/// The value a path leads to, null where something below its known top-level name is
/// missing; the name itself when that is not known.
pub(super) fn resolve(path: &Path, scope: &Scope<'_>) -> Result<Value, String> {
    find(path, scope).map(|value| value.cloned().unwrap_or_default())
}

/// As [`resolve`], without a copy.
pub(super) fn find<'a>(path: &Path, scope: &Scope<'a>) -> Result<Option<&'a Value>, String> {
    let Some((root, members)) = path.split_first() else { return Ok(None) };
    let mut value = scope.get(root).ok_or_else(|| format!("{root} is not known here"))?;
    for name in members {
        match value.get(name) {
            Some(member) => value = member,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// Null as nothing, lists and objects as compact sorted JSON, the rest as it is.
pub(super) fn write_text(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::Array(_) | Value::Object(_) => out.push_str(&canonical_json(value)),
    }
}
