//! Putting an answer together from server-sent events: words, tool calls whose arguments
//! come in interleaved fragments, usage, and the reason to stop, without which the stream
//! was cut.

use std::collections::BTreeMap;

use baton_common::Failure;
use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource as _};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::Value;

use super::names::Names;
use super::{fault, wire};
use crate::http::Body;
use crate::{ChatReply, ChatRequest, Delta, DeltaSink, FinishReason, ToolCall, ToolChoice, Usage, structured};

/// Tool calls beyond this index are refused: no model asks for so many at once.
const TOOL_CALLS_MAX: usize = 128;

/// The byte order mark.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// An answer in the making.
#[derive(Default)]
pub(super) struct Answer {
    text: String,
    refusal: bool,
    calls: BTreeMap<usize, PartialCall>,
    finish: Option<String>,
    usage: Usage,
    names: Names,
}

#[cfg(fuzzing)]
impl Answer {
    /// What an answer may be that was made of so many bytes.
    pub(super) fn check(self, bytes: usize) {
        assert!(self.text.len() <= bytes, "more text than was sent");
        let _ = whole_calls(self.calls);
    }
}

#[derive(Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    /// `message` where the server did not stream.
    #[serde(default, alias = "message")]
    delta: WireDelta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct WireDelta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<WireCall>>,
}

#[derive(Deserialize)]
struct WireCall {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<WireFunction>,
}

#[derive(Deserialize)]
struct WireFunction {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

/// Reads an event stream to its end.
pub(super) async fn read_events(mut answer: Answer, body: Body, sink: &dyn DeltaSink) -> Result<Answer, Failure> {
    let mut events = without_mark(body).eventsource();
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| match error {
            EventStreamError::Transport(failure) => failure,
            EventStreamError::Utf8(_) | EventStreamError::Parser(_) => malformed(),
        })?;
        let data = event.data.trim();
        if data == "[DONE]" {
            break;
        }
        if data.is_empty() {
            continue;
        }
        answer.take(serde_json::from_str(data).map_err(|_| malformed())?, sink)?;
    }
    Ok(answer)
}

/// The body without its byte order mark and behind an empty line: the event parser panics
/// on a mark that comes first.
fn without_mark(body: Body) -> Body {
    let start = (body, Some(Vec::new()));
    Box::pin(futures_util::stream::try_unfold(start, |(mut body, mut head)| async move {
        while let Some(bytes) = &mut head {
            let chunk = body.next().await.transpose()?;
            let ended = chunk.is_none();
            bytes.extend_from_slice(&chunk.unwrap_or_default());
            if ended || bytes.len() >= MARK.len() || !MARK.starts_with(bytes) {
                let first = Bytes::from([b"\n", bytes.strip_prefix(MARK).unwrap_or(bytes)].concat());
                return Ok(Some((first, (body, None))));
            }
        }
        Ok(body.next().await.transpose()?.map(|chunk| (chunk, (body, head))))
    }))
}

/// Reads an answer from a server that ignored the wish to stream.
pub(super) async fn read_whole(mut answer: Answer, mut body: Body, sink: &dyn DeltaSink) -> Result<Answer, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    answer.take(serde_json::from_slice(&bytes).map_err(|_| malformed())?, sink)?;
    Ok(answer)
}

/// The finished answer, checked against what was asked.
pub(super) fn finish(answer: Answer, model: &str, request: &ChatRequest) -> Result<ChatReply, Failure> {
    if answer.refusal {
        return Err(Failure::refused("model_refused", "the model declined to answer"));
    }
    let finish = match answer.finish.as_deref() {
        None => {
            return Err(Failure::transient("model_stream_truncated", "the model's answer broke off before its end"));
        }
        Some("content_filter") => {
            return Err(Failure::refused("content_filter", "the provider's content filter stopped the answer"));
        }
        Some("length") => FinishReason::Length,
        Some(_) if !answer.calls.is_empty() => FinishReason::ToolCalls,
        Some(_) => FinishReason::Stop,
    };
    let tool_calls = if finish == FinishReason::Length { Vec::new() } else { whole_calls(answer.calls)? };
    check_choice(&request.tool_choice, &tool_calls)?;
    let json = match &request.output {
        Some(_) if finish == FinishReason::Length => {
            return Err(Failure::permanent(
                "model_output_truncated",
                "max_tokens ended the answer before its value was whole",
            ));
        }
        Some(output) if tool_calls.is_empty() => {
            Some(structured::read(output, &wire::unwrap(&output.schema, answer.text.trim()))?)
        }
        _ => None,
    };
    Ok(ChatReply { text: answer.text, json, tool_calls, finish, usage: answer.usage, model: model.to_owned() })
}

impl Answer {
    /// Nothing yet, to a request with these names.
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    fn take(&mut self, chunk: Chunk, sink: &dyn DeltaSink) -> Result<(), Failure> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(fault::in_stream(&error));
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage.into();
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
                self.text.push_str(&text);
                sink.delta(Delta::Text(text));
            }
            self.refusal |= choice.delta.refusal.is_some_and(|words| !words.is_empty());
            for (position, call) in choice.delta.tool_calls.into_iter().flatten().enumerate() {
                self.take_call(position, call, sink)?;
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
        Ok(())
    }

    fn take_call(&mut self, position: usize, call: WireCall, sink: &dyn DeltaSink) -> Result<(), Failure> {
        let index = call.index.unwrap_or(position);
        if index >= TOOL_CALLS_MAX {
            return Err(malformed());
        }
        let partial = self.calls.entry(index).or_default();
        if let Some(id) = call.id.filter(|id| !id.is_empty()) {
            partial.id = id;
        }
        let Some(function) = call.function else { return Ok(()) };
        if let Some(name) = function.name.filter(|name| !name.is_empty()) {
            let name = self.names.meant_by(&name);
            if partial.name.is_empty() {
                sink.delta(Delta::ToolCall(name.clone()));
            }
            partial.name = name;
        }
        match function.arguments {
            Some(Value::String(fragment)) => partial.arguments.push_str(&fragment),
            Some(Value::Null) | None => {}
            // Some servers send the object itself, whole.
            Some(whole) => partial.arguments = whole.to_string(),
        }
        Ok(())
    }
}

fn whole_calls(calls: BTreeMap<usize, PartialCall>) -> Result<Vec<ToolCall>, Failure> {
    let whole = |(index, call): (usize, PartialCall)| {
        let text = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
        let arguments = serde_json::from_str(text).map_err(|_| {
            Failure::transient("model_output_invalid", "the model asked for a tool with arguments that are no JSON")
        })?;
        if call.name.is_empty() {
            return Err(Failure::transient("model_output_invalid", "the model asked for a tool without a name"));
        }
        let id = if call.id.is_empty() { format!("call_{index}") } else { call.id };
        Ok(ToolCall { id, name: call.name, arguments })
    };
    calls.into_iter().map(whole).collect()
}

/// Not every server enforces the choice, so it is checked here.
fn check_choice(choice: &ToolChoice, calls: &[ToolCall]) -> Result<(), Failure> {
    let met = match choice {
        ToolChoice::Auto => true,
        ToolChoice::None => calls.is_empty(),
        ToolChoice::Required => !calls.is_empty(),
        ToolChoice::Named(name) => calls.iter().any(|call| call.name == *name),
    };
    let unmet = || Failure::transient("model_output_invalid", "the model did not keep to the tool choice");
    met.then_some(()).ok_or_else(unmet)
}

fn malformed() -> Failure {
    Failure::transient("model_stream_malformed", "the model's server sent what is no answer")
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        Self {
            input_tokens: wire.prompt_tokens,
            cached_tokens: wire.prompt_tokens_details.unwrap_or_default().cached_tokens.unwrap_or(0),
            output_tokens: wire.completion_tokens,
            reasoning_tokens: wire.completion_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or(0),
        }
    }
}

#[cfg(test)]
#[path = "stream_hostile.rs"]
mod hostile;
