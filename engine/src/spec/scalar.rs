//! What an unquoted YAML scalar is: null, a truth, a number or a text, and those of which
//! readers of YAML disagree.

use serde_json::Value;

/// An unquoted scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number as JSON writes it; `exact` when writing it again gives the same text.
    Number { value: Value, exact: bool },
    /// A text.
    Text,
    /// Something other readers take for a truth, a number or null.
    Ambiguous(&'static str),
}

/// What the text of an unquoted scalar is.
pub(super) fn scalar(text: &str) -> Scalar {
    match text {
        "" | "null" | "~" => return Scalar::Null,
        "true" => return Scalar::Boolean(true),
        "false" => return Scalar::Boolean(false),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "yes" | "no" | "on" | "off" | "true" | "false" => return Scalar::Ambiguous("a truth value"),
        "null" => return Scalar::Ambiguous("null"),
        ".nan" | ".inf" | "-.inf" | "+.inf" => return Scalar::Ambiguous("a number"),
        _ => {}
    }
    if let Some(value) = number(text) {
        let written = value.to_string();
        let exact = written == text;
        return Scalar::Number { value, exact };
    }
    if is_like_number(&lower) { Scalar::Ambiguous("a number") } else { Scalar::Text }
}

/// A number in JSON's own notation.
fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let first = digits.chars().next()?;
    if !first.is_ascii_digit() || !digits.chars().all(|mark| mark.is_ascii_digit() || "+-.eE".contains(mark)) {
        return None;
    }
    serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number)
}

fn is_like_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let all =
        |radix: u32, digits: &str| !digits.is_empty() && digits.chars().all(|mark| mark.is_digit(radix) || mark == '_');
    if let Some(rest) = digits.strip_prefix("0x") {
        return all(16, rest);
    }
    if let Some(rest) = digits.strip_prefix("0o") {
        return all(8, rest);
    }
    if let Some(rest) = digits.strip_prefix("0b") {
        return all(2, rest);
    }
    let starts = digits.chars().find(|mark| *mark != '.').is_some_and(|mark| mark.is_ascii_digit());
    starts
        && digits.matches('.').count() <= 1
        && digits.chars().all(|mark| mark.is_ascii_digit() || mark == '_' || mark == '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_readers_disagree_on_is_ambiguous() {
        for text in ["NO", "yes", "On", "True", "NULL", "010", "0x1F", "1_000", "+1", ".5", "-.inf", "1."] {
            assert!(matches!(scalar(text), Scalar::Ambiguous(_)), "{text}");
        }
        for text in ["2026-01-01", "1.2.3", "24h", "2s..1m", "state.a", "n", "-", "1e", "0xzz", "--1"] {
            assert!(!matches!(scalar(text), Scalar::Number { .. }), "{text}");
        }
        assert_eq!(scalar("1.10"), Scalar::Number { value: json!(1.1), exact: false });
        assert_eq!(scalar("-3"), Scalar::Number { value: json!(-3), exact: true });
    }
}
