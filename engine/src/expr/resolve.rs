//! Paths looked up in a scope, and values written as text: what most templates need.

use std::borrow::Cow;

use baton_common::canonical_json;
use serde_json::Value;

use super::{Named, Path, Scope};

/// The value a path leads to, null where something below its known top-level name is
/// missing; the name itself when that is not known.
pub(super) fn resolve(path: &Path, scope: &Scope<'_>) -> Result<Value, String> {
    find(path, scope).map(|value| value.map(Cow::into_owned).unwrap_or_default())
}

/// As [`resolve`], and without a copy but of all channels at once.
pub(super) fn find<'a>(path: &Path, scope: &Scope<'a>) -> Result<Option<Cow<'a, Value>>, String> {
    let Some((root, mut names)) = path.split_first() else { return Ok(None) };
    let mut value = match (scope.get(root).ok_or_else(|| format!("{root} is not known here"))?, names.split_first()) {
        (Named::Value(value), _) => value,
        (Named::State(members), None) => return Ok(Some(Cow::Owned(members.to_value()))),
        (Named::State(members), Some((first, others))) => {
            names = others;
            match members.get(first) {
                Some(member) => member,
                None => return Ok(None),
            }
        }
    };
    for name in names {
        match value.get(name) {
            Some(member) => value = member,
            None => return Ok(None),
        }
    }
    Ok(Some(Cow::Borrowed(value)))
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
