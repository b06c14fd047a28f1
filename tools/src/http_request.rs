//! `http.request`: one checked HTTP request. Any status is a result; only what keeps an
//! answer from arriving is a failure, save for those that ask to come back later.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use baton_common::Failure;
use baton_common::payload::INLINE_BYTES_MAX;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_egress::{Client, Method, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, IoTool, args};

/// Sends requests through the checked client.
pub struct HttpRequest {
    client: Client,
}

impl HttpRequest {
    /// Sends through that client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[derive(Deserialize)]
struct Args {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    json: Option<Value>,
    timeout_ms: Option<u64>,
}

#[async_trait]
impl IoTool for HttpRequest {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "http.request".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "Sends an HTTP request, with the idempotency key unless it is a GET".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "method": { "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] },
                    "url": { "type": "string", "minLength": 1, "maxLength": 8192 },
                    "headers": { "type": "object", "additionalProperties": { "type": "string" }, "maxProperties": 64 },
                    "body": { "type": "string" },
                    "json": {},
                    "timeout_ms": { "type": "integer", "minimum": 1, "maximum": 3_600_000 }
                },
                "required": ["method", "url"],
                "not": { "required": ["body", "json"] },
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let request = request(args::parse(args)?, call)?;
        match call.cancel.run_until_cancelled(self.send(request, call)).await {
            Some(result) => result,
            None => Err(args::stopped(call)),
        }
    }
}

impl HttpRequest {
    async fn send(&self, request: Request, call: &Call) -> Result<Value, Failure> {
        let response = self.client.send(request).await?;
        if let Some(failure) = response.failure()
            && failure.class.retryable()
        {
            return Err(failure);
        }
        result(response, call).await
    }
}

fn request(args: Args, call: &Call) -> Result<Request, Failure> {
    let method = Method::from_bytes(args.method.as_bytes())
        .map_err(|_| Failure::invalid("bad_arguments", format!("{} is no HTTP method", args.method)))?;
    let changes = !matches!(method, Method::GET | Method::HEAD);
    let mut request = Request::new(method, args.url);
    if changes {
        request = request.header("idempotency-key", call.idempotency_key.to_string());
    }
    if let Some(value) = args.json {
        request = request.header("content-type", "application/json").body(value.to_string());
    } else if let Some(body) = args.body {
        request = request.body(body);
    }
    request = args.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    if let Some(ms) = args.timeout_ms {
        request = request.timeout(Duration::from_millis(ms));
    }
    Ok(request)
}

async fn result(response: Response, call: &Call) -> Result<Value, Failure> {
    let (status, url) = (response.status(), response.url().to_string());
    let media_type = response.header("content-type").unwrap_or("application/octet-stream").to_owned();
    let headers: BTreeMap<String, String> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name != "set-cookie")
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let body = response.bytes().await?;
    let mut result = json!({ "status": status, "url": url, "headers": headers, "bytes": body.len() });
    if body.len() > INLINE_BYTES_MAX / 2 {
        result["body"] = args::blob_value(&call.blobs.put(&media_type, body).await?);
        return Ok(result);
    }
    let is_json = media_type.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"));
    if let Some(value) = is_json.then(|| serde_json::from_slice::<Value>(&body).ok()).flatten() {
        result["json"] = value;
    }
    match std::str::from_utf8(&body) {
        Ok(text) => result["body"] = text.into(),
        Err(_) => result["base64"] = STANDARD.encode(&body).into(),
    }
    Ok(result)
}
