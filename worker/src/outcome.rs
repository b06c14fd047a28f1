//! Making a result travel: inline while small, as a blob beyond that, not at all when it
//! is too large.

use std::time::Duration;

use baton_common::job::Outcome;
use baton_common::payload::json_bytes;
use baton_common::{BlobRef, Failure, Payload};
use baton_control::{BlobPlace, Error, Hold};
use bytes::Bytes;
use serde_json::Value;

use crate::settings::Settings;
use crate::transfer::too_large;
use crate::worker::Shared;

/// The longest message of a failure, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Time to store a blob, on top of a call's own limit.
const BLOB_EXTRA_MS: u64 = 30_000;

/// The outcome of an attempt within the bounds of what may be recorded.
pub(crate) fn sized(result: Result<Value, Failure>, settings: &Settings) -> Outcome {
    let bytes_max = settings.result_bytes_max;
    match result.map(elsewhere) {
        Ok(Payload::Blob(blob)) if blob.bytes > settings.blob_bytes_max => {
            Outcome::Error(too_large(settings.blob_bytes_max))
        }
        Ok(Payload::Blob(blob)) => Outcome::Ok(Payload::Blob(blob)),
        Ok(Payload::Inline(value)) => sized_value(Ok(value), bytes_max),
        Err(failure) => sized_value(Err(failure), bytes_max),
    }
}

/// A result that is nothing but a reference to JSON is that JSON.
fn elsewhere(value: Value) -> Payload {
    let alone = value.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("$blob"));
    let blob = alone.and_then(|blob| serde_json::from_value::<BlobRef>(blob.clone()).ok());
    match blob.filter(|blob| blob.media_type == "application/json") {
        Some(blob) => Payload::Blob(blob),
        None => Payload::Inline(value),
    }
}

fn sized_value(result: Result<Value, Failure>, bytes_max: usize) -> Outcome {
    match result {
        Ok(value) if json_bytes(&value) > bytes_max => Outcome::Error(Failure::permanent(
            "result_too_large",
            format!("the result is larger than {bytes_max} bytes of JSON; write it as an artifact instead"),
        )),
        Ok(value) => Outcome::Ok(Payload::Inline(value)),
        Err(mut failure) => {
            if let Some((end, _)) = failure.message.char_indices().nth(MESSAGE_CHARS_MAX) {
                failure.message.truncate(end);
            }
            Outcome::Error(failure)
        }
    }
}

/// The outcome as it travels: a large value is stored and referred to.
///
/// # Errors
/// As the control plane answers to the blob.
pub(crate) async fn travelling(shared: &Shared, hold: &Hold, outcome: &Outcome) -> Result<Outcome, Error> {
    let Outcome::Ok(Payload::Inline(value)) = outcome else { return Ok(outcome.clone()) };
    if json_bytes(value) <= shared.settings.inline_bytes_max {
        return Ok(outcome.clone());
    }
    let bytes = Bytes::from(value.to_string());
    let limit = Duration::from_millis(shared.settings.call_timeout_ms + BLOB_EXTRA_MS);
    let put = shared.control.put_blob(hold.clone(), BlobPlace::Value, "application/json".to_owned(), bytes);
    let late = |_| Error::Unavailable("no answer to a blob".to_owned());
    Ok(Outcome::Ok(Payload::Blob(tokio::time::timeout(limit, put).await.map_err(late)??)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_too_large_is_a_permanent_failure() {
        let Outcome::Error(failure) = sized_value(Ok(json!("12345")), 6) else { panic!("it fits") };
        assert_eq!(failure.code, "result_too_large");
        assert!(!failure.class.retryable());
        assert_eq!(sized_value(Ok(json!("1234")), 6), Outcome::value("1234"));
    }

    #[test]
    fn a_result_that_is_a_reference_to_json_is_that_json() {
        let settings = Settings { blob_bytes_max: 9, ..Settings::new(baton_common::tool::QueueClass::Io) };
        let of = |media_type: &str, bytes: u64| {
            let digest = baton_common::Digest::of("x");
            BlobRef { key: "values/x".to_owned(), bytes, digest, media_type: media_type.to_owned() }
        };
        let json = of("application/json", 9);
        assert_eq!(sized(Ok(json!({ "$blob": json })), &settings), Outcome::Ok(Payload::Blob(json)));
        for value in [json!({ "$blob": of("text/plain", 9) }), json!({ "$blob": of("application/json", 9), "a": 1 })] {
            assert_eq!(sized(Ok(value.clone()), &settings), Outcome::value(value));
        }
        let Outcome::Error(failure) = sized(Ok(json!({ "$blob": of("application/json", 10) })), &settings) else {
            panic!("it fits")
        };
        assert_eq!(failure.code, "result_too_large");
    }
}
