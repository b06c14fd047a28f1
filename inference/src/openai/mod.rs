//! Providers that offer OpenAI's chat completions: OpenAI itself, Ollama, vLLM, llama.cpp
//! and the many gateways. Always streamed, so that a stalled server is noticed and a
//! cancelled call stops at once.
//!
//! Retrying is left to the routes and the task machine: one call here is one request.

mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod names;
mod stream;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Failure;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::http::{Http, HttpReply};
use crate::{ChatModel, ChatReply, ChatRequest, DeltaSink, route};

/// How a server takes an output schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// As `response_format: json_schema`.
    #[default]
    Schema,
    /// As `response_format: json_object`, with the schema in the prompt.
    Object,
    /// Only in the prompt.
    Prompt,
}

/// One model of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `openai/gpt-4.1`, for people.
    pub name: String,
    /// The server's base, with `/v1`.
    pub base_url: String,
    /// What the server calls the model.
    pub model: String,
    /// The secret, sent as a bearer token.
    pub key: Option<Secret>,
    /// How it takes schemas.
    pub structured: Structured,
    /// Whether the limit is named `max_completion_tokens`, as OpenAI's reasoning models
    /// demand, or `max_tokens`, as everybody else understands.
    pub completion_tokens: bool,
    /// Milliseconds without a byte after which the call is given up.
    pub idle_ms: u64,
}

/// A secret that does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The provider for one endpoint.
pub struct OpenAi {
    endpoint: Endpoint,
    http: Arc<dyn Http>,
}

/// The most bytes of an error body that are read.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of an answer: far beyond any model's output.
const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

impl OpenAi {
    /// Speaks to the endpoint over that client.
    #[must_use]
    pub fn new(endpoint: Endpoint, http: Arc<dyn Http>) -> Self {
        Self { endpoint, http }
    }

    async fn call(&self, request: &ChatRequest, sink: &dyn DeltaSink) -> Result<ChatReply, Failure> {
        let names = names::Names::of(request);
        let body = wire::body(&self.endpoint, request, &names);
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("accept", "text/event-stream".to_owned())];
        if let Some(key) = &self.endpoint.key {
            headers.push(("authorization", format!("Bearer {}", key.0)));
        }
        let url = format!("{}/chat/completions", self.endpoint.base_url.trim_end_matches('/'));
        let idle = Duration::from_millis(self.endpoint.idle_ms);
        let post = self.http.post(&url, &headers, Bytes::from(body.to_string()));
        let reply = tokio::time::timeout(idle, post).await.map_err(|_| fault::stalled(self.endpoint.idle_ms))??;
        if !(200..300).contains(&reply.status) {
            return Err(self.refusal(reply, idle).await);
        }
        let is_events = reply.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let idle_ms = self.endpoint.idle_ms;
        let bytes = watched(reply.body, idle_ms);
        let answer = stream::Answer::new(names);
        let answer = if is_events {
            stream::read_events(answer, bytes, sink).await?
        } else {
            stream::read_whole(answer, bytes, sink).await?
        };
        stream::finish(answer, &self.endpoint.name, request)
    }

    async fn refusal(&self, reply: HttpReply, idle: Duration) -> Failure {
        let HttpReply { status, headers, mut body } = reply;
        let mut text = Vec::new();
        let read = async {
            while let Some(Ok(chunk)) = body.next().await {
                text.extend_from_slice(&chunk);
                if text.len() > ERROR_BYTES_MAX {
                    break;
                }
            }
        };
        // A body that does not come leaves the status to judge by.
        let _ = tokio::time::timeout(idle, read).await;
        text.truncate(ERROR_BYTES_MAX);
        fault::from_status(status, &headers, &text)
    }
}

/// The body with a limit on its size and on the time between two chunks.
fn watched(body: crate::http::Body, idle_ms: u64) -> crate::http::Body {
    let idle = Duration::from_millis(idle_ms);
    let start = (body, 0_usize);
    Box::pin(futures_util::stream::try_unfold(start, move |(mut body, read)| async move {
        let chunk = match tokio::time::timeout(idle, body.next()).await {
            Err(_) => return Err(fault::stalled(idle_ms)),
            Ok(None) => return Ok(None),
            Ok(Some(chunk)) => chunk?,
        };
        let read = read + chunk.len();
        if read > REPLY_BYTES_MAX {
            return Err(Failure::permanent("model_reply_too_large", "the model's answer is larger than 16 MiB"));
        }
        Ok(Some((chunk, (body, read))))
    }))
}

#[async_trait]
impl ChatModel for OpenAi {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    async fn chat(
        &self,
        request: &ChatRequest,
        sink: &dyn DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<ChatReply, Failure> {
        request.check()?;
        cancel.run_until_cancelled(self.call(request, sink)).await.unwrap_or_else(|| Err(route::cancelled()))
    }
}
