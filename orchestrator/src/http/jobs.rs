//! Jobs: the resume. Whoever holds the token of an attempt says how it ended.

use axum::http::StatusCode;
use baton_common::failure::ErrorClass;
use baton_common::ids::Fence;
use baton_common::job::Outcome;
use baton_common::{Digest, Failure};
use baton_control::{Hold, Resume};
use serde_json::{Value, json};

use super::fields::{Fields, malformed};
use super::openapi;
use super::route::{Answer, Call};
use super::view;
use crate::api::ApiError;

pub(super) async fn resume(mut call: Call) -> Answer {
    let body = &mut call.body;
    let hold = Hold::new(
        body.needed_parsed("job")?,
        Fence(body.number("fence")?.ok_or_else(|| malformed("fence", "it is missing"))?),
        body.needed_text("token")?,
    );
    let digest =
        Digest::parse(&body.needed_text("digest")?).ok_or_else(|| malformed("digest", "not 32 hexadecimal digits"))?;
    let outcome = outcome(body.needed("outcome")?)?;
    let answer = call
        .services
        .plane
        .resume(Resume { hold, digest, outcome, trace: call.caller.trace })
        .await
        .map_err(ApiError::from)?;
    Ok(view::json(StatusCode::OK, &json!({ "answer": answer })))
}

/// `{"ok": VALUE}` or `{"error": {…}}`.
fn outcome(value: Value) -> Result<Outcome, ApiError> {
    let mut outcome = object("outcome", value, "Outcome")?;
    match (outcome.value("ok"), outcome.value("error")) {
        (Some(value), None) => Ok(Outcome::value(value)),
        (None, Some(error)) => {
            let mut error = object("error", error, "Failure")?;
            let class = error.needed_text("class")?;
            Ok(Outcome::Error(Failure {
                class: ErrorClass::from_name(&class)
                    .ok_or_else(|| malformed("class", format!("there is no class {class:?}")))?,
                code: error.needed_text("code")?,
                message: error.needed_text("message")?,
                retry_after_ms: error.number("retry_after_ms")?,
            }))
        }
        _ => Err(malformed("outcome", "either ok or error must be given")),
    }
}

fn object(name: &str, value: Value, schema: &str) -> Result<Fields, ApiError> {
    match value {
        Value::Object(values) => Fields::known(values, openapi::properties(schema)),
        _ => Err(malformed(name, "it must be an object")),
    }
}
