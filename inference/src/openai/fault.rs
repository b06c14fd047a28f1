//! What a server's refusal means. Bodies of errors may quote the prompt, so only the
//! status and the error's type and code reach the failure.

use baton_common::{ErrorClass, Failure};
use serde_json::Value;

use crate::http::header;

/// The longest pause a server may ask for, in milliseconds: one hour.
const RETRY_AFTER_MS_MAX: u64 = 3_600_000;

/// No byte came for so long.
pub(super) fn stalled(idle_ms: u64) -> Failure {
    Failure::transient("model_stalled", format!("the model's server sent nothing for {idle_ms} ms"))
}

/// The failure behind a status that is no success.
pub(super) fn from_status(status: u16, headers: &[(String, String)], body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let mut failure = classify(Some(status), error);
    if failure.class.retryable() {
        failure.retry_after_ms = retry_after_ms(headers);
    }
    failure
}

/// The failure behind an error object that came inside a stream.
pub(super) fn in_stream(error: &Value) -> Failure {
    let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    classify(status, error)
}

fn classify(status: Option<u16>, error: &Value) -> Failure {
    let word = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, code) = (word("type"), word("code"));
    let told = match (code, kind) {
        ("", "") => String::new(),
        ("", kind) => format!(" ({})", tame(kind)),
        (code, _) => format!(" ({})", tame(code)),
    };
    let at = status.map(|status| format!(" with status {status}")).unwrap_or_default();
    let told = format!("the model's server answered{at}{told}");
    if is_context(code, kind, word("message")) {
        return Failure::invalid("context_too_long", "the conversation is longer than the model's context");
    }
    if [code, kind].iter().any(|word| word.contains("content_filter") || word.contains("content_policy")) {
        return Failure::refused("content_filter", "the provider's content filter refused the conversation");
    }
    match status {
        Some(429) if code == "insufficient_quota" => {
            Failure::new(ErrorClass::RateLimited, "model_quota_exhausted", told)
        }
        Some(429) => Failure::new(ErrorClass::RateLimited, "model_rate_limited", told),
        Some(401 | 403) => Failure::refused("model_key_refused", told),
        Some(404) => Failure::invalid("model_not_found", told),
        Some(413) => Failure::invalid("context_too_long", told),
        Some(408 | 409 | 425) => Failure::transient("model_unavailable", told),
        Some(status) if (400..500).contains(&status) => Failure::invalid("model_request_invalid", told),
        _ if [code, kind].iter().any(|word| word.contains("rate_limit")) => {
            Failure::new(ErrorClass::RateLimited, "model_rate_limited", told)
        }
        _ if kind == "invalid_request_error" => Failure::invalid("model_request_invalid", told),
        _ => Failure::transient("model_unavailable", told),
    }
}

fn is_context(code: &str, kind: &str, message: &str) -> bool {
    let named = ["context_length_exceeded", "exceed_context_size_error"];
    let message = message.to_lowercase();
    named.contains(&code)
        || named.contains(&kind)
        || ["maximum context length", "context window", "exceeds the available context"]
            .iter()
            .any(|words| message.contains(words))
}

/// A word of the server's, cut and stripped of all that is no word.
fn tame(word: &str) -> String {
    word.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(*letter)).take(60).collect()
}

/// `retry-after-ms`, or `retry-after` in seconds or as a date (told against the reply's
/// own date, so that no clock of ours is asked).
fn retry_after_ms(headers: &[(String, String)]) -> Option<u64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    if let Some(ms) = header(headers, "retry-after-ms").and_then(number) {
        return Some((ms as u64).min(RETRY_AFTER_MS_MAX));
    }
    let after = header(headers, "retry-after")?;
    if let Some(seconds) = number(after) {
        return Some(((seconds * 1000.0) as u64).min(RETRY_AFTER_MS_MAX));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond());
    let wait = date(after)?.saturating_sub(date(header(headers, "date")?)?);
    Some(u64::try_from(wait).unwrap_or(0).min(RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: (&str, &str)) {
        let failure = from_status(status, &[], body.as_bytes());
        assert_eq!((failure.class.name(), failure.code.as_str()), expected, "{status} {body}");
    }

    #[test]
    fn each_status_has_its_class() {
        check(429, "", ("rate_limited", "model_rate_limited"));
        check(429, r#"{"error":{"code":"insufficient_quota"}}"#, ("rate_limited", "model_quota_exhausted"));
        check(500, "<html>", ("transient", "model_unavailable"));
        check(503, "{}", ("transient", "model_unavailable"));
        check(529, "{}", ("transient", "model_unavailable"));
        check(400, r#"{"error":{"type":"invalid_request_error"}}"#, ("invalid", "model_request_invalid"));
        check(401, "{}", ("refused", "model_key_refused"));
        check(403, "{}", ("refused", "model_key_refused"));
        check(404, "{}", ("invalid", "model_not_found"));
        check(400, r#"{"error":{"code":"context_length_exceeded"}}"#, ("invalid", "context_too_long"));
        check(400, r#"{"error":{"type":"exceed_context_size_error"}}"#, ("invalid", "context_too_long"));
        check(400, r#"{"error":{"code":"content_filter"}}"#, ("refused", "content_filter"));
    }

    #[test]
    fn the_servers_wish_for_a_pause_is_kept_and_bounded() {
        let wait = |pairs: &[(&str, &str)]| {
            let headers: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            from_status(429, &headers, b"").retry_after_ms
        };
        assert_eq!(wait(&[("retry-after", "2")]), Some(2_000));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(wait(&[("retry-after", "9"), ("retry-after-ms", "120")]), Some(120));
        assert_eq!(wait(&[("retry-after", "1e18")]), Some(RETRY_AFTER_MS_MAX));
        let dates = [("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
        assert_eq!(wait(&dates), Some(30_000));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
    }

    #[test]
    fn what_a_server_quotes_of_a_prompt_stays_out_of_the_failure() {
        let body = br#"{"error":{"message":"bad prompt: my secret","code":"x y\nz"}}"#;
        let failure = from_status(400, &[], body);
        assert!(!failure.message.contains("secret") && failure.message.contains("(xyz)"), "{failure}");
    }
}
