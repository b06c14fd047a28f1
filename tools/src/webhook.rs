//! `webhook.post` and `slack.post`: a message to a place that the operator named. Graphs
//! choose among names and never see an address. Each carries the idempotency key, so that
//! a receiver can recognise a repetition.

mod named;
mod slack;

use baton_common::Failure;
use baton_egress::{Client, Request};
use serde_json::Value;

pub use named::WebhookPost;
pub use slack::SlackPost;

use crate::{Call, args};

/// Posts JSON with the idempotency key; gives back the status.
async fn post(client: &Client, url: &str, body: &Value, call: &Call) -> Result<u16, Failure> {
    let request = Request::post_json(url, body)
        .map_err(|error| Failure::invalid("bad_arguments", error.to_string()))?
        .header("idempotency-key", call.idempotency_key.to_string());
    match call.cancel.run_until_cancelled(client.send(request)).await {
        Some(response) => Ok(response?.checked()?.status()),
        None => Err(args::stopped(call)),
    }
}
