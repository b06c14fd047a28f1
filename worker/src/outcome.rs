//! Making a result travel: inline while small, as a blob beyond that, not at all when it
//! is too large.

use std::time::Duration;

use baton_common::job::Outcome;
use baton_common::{Failure, Payload};
use baton_control::{BlobPlace, Error, Hold};
use bytes::Bytes;
use serde_json::Value;

use crate::worker::Shared;

/// The longest message of a failure, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Time to store a blob, on top of a call's own limit.
const BLOB_EXTRA_MS: u64 = 30_000;

/// The outcome of an attempt within the bounds of what may be recorded.
pub(crate) fn sized(result: Result<Value, Failure>, bytes_max: usize) -> Outcome {
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

/// Bytes of the compact JSON, counted without keeping them.
fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing a value into a counter cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_counted_as_it_is_written() {
        for value in [json!({"a": [1, 2.5, "x\n\"é"]}), json!(null), json!("…")] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }

    #[test]
    fn what_is_too_large_is_a_permanent_failure() {
        let Outcome::Error(failure) = sized(Ok(json!("12345")), 6) else { panic!("it fits") };
        assert_eq!(failure.code, "result_too_large");
        assert!(!failure.class.retryable());
        assert_eq!(sized(Ok(json!("1234")), 6), Outcome::value("1234"));
    }
}
