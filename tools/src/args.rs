//! What tools share when they read arguments: typed parsing behind the schema, values
//! that lie in the blob store, and what to say when an attempt is told to stop.

use std::time::Instant;

use baton_common::{BlobRef, ErrorClass, Failure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Call;

/// The arguments as the tool's own type. They satisfy the schema already, so a failure
/// here names what the schema cannot say.
pub(crate) fn parse<T: DeserializeOwned>(args: Value) -> Result<T, Failure> {
    serde_json::from_value(args).map_err(|error| Failure::invalid("bad_arguments", error.to_string()))
}

/// A value that lies in the blob store, as results refer to it: `{"$blob": …}`.
#[must_use]
pub fn blob_value(blob: &BlobRef) -> Value {
    json!({ "$blob": blob })
}

/// The reference of a `{"$blob": …}` value.
pub(crate) fn blob_of(value: &Value) -> Result<Option<BlobRef>, Failure> {
    match value.as_object().and_then(|fields| fields.get("$blob")) {
        None => Ok(None),
        Some(blob) => serde_json::from_value(blob.clone())
            .map(Some)
            .map_err(|error| Failure::invalid("bad_blob_reference", format!("not a blob reference: {error}"))),
    }
}

/// The value itself, read from the blob store if it is a `{"$blob": …}` that holds JSON.
///
/// # Errors
/// When the blob cannot be read or holds no JSON.
pub async fn read_value(value: Value, call: &Call) -> Result<Value, Failure> {
    let Some(blob) = blob_of(&value)? else { return Ok(value) };
    let bytes = call.blobs.get(&blob).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::invalid("blob_not_json", format!("the blob {} holds no JSON: {error}", blob.key)))
}

/// Why the attempt stops before it is done.
pub(crate) fn stopped(call: &Call) -> Failure {
    if Instant::now() >= call.deadline {
        Failure::new(ErrorClass::Timeout, "timeout", "the attempt ran past its time")
    } else {
        Failure::new(ErrorClass::Cancelled, "cancelled", "the attempt was told to stop")
    }
}

/// Runs a function that blocks on a file or a child, off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Failure::permanent("tool_panicked", format!("the tool panicked: {error}"))),
    }
}
