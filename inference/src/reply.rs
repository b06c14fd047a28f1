//! What a model answers, whole and in pieces.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ToolCall;

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It reached the token limit: the text is cut.
    Length,
    /// It asks for tools.
    ToolCalls,
}

/// What a call cost, in tokens. `input` counts cached tokens too, `output` counts
/// reasoning tokens too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Of those, read from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Of those, thought and not shown.
    pub reasoning_tokens: u64,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The words.
    pub text: String,
    /// The value, where an output schema was asked for; it satisfies that schema.
    pub json: Option<Value>,
    /// Tools the model asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What it cost.
    pub usage: Usage,
    /// Who answered: `openai/gpt-4.1`, `extractive`.
    pub model: String,
}

/// A piece of an answer as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// More words.
    Text(String),
    /// The model began to ask for this tool.
    ToolCall(String),
    /// What was shown so far is void: another candidate answers from the start.
    Restart,
}
