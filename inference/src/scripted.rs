//! Replays answers from a file, for tests and drills: rules that match the conversation,
//! then turns in their order, then an answer for everything else.
//!
//! Rules look at the request only, so they give the same answer in any process and after
//! a restart; turns are counted in this process.

use std::path::Path;

use async_trait::async_trait;
use baton_common::Failure;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    ChatModel, ChatReply, ChatRequest, Delta, DeltaSink, FinishReason, Role, ToolCall, Usage, route, structured,
};

/// A file of answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Tried in order; the first that matches and is not used up answers.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Used once each, in order, by calls that no rule matches.
    #[serde(default)]
    pub turns: Vec<Answer>,
    /// For calls beyond that.
    #[serde(default)]
    pub otherwise: Option<Answer>,
}

/// An answer for calls that look so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The last user message contains this.
    #[serde(default)]
    pub user: Option<String>,
    /// A system message contains this.
    #[serde(default)]
    pub system: Option<String>,
    /// The result of a tool contains this.
    #[serde(default)]
    pub tool: Option<String>,
    /// The conversation holds so many assistant turns.
    #[serde(default)]
    pub turn: Option<usize>,
    /// The conversation shows so many pictures. Otherwise they are let be: a script sees nothing.
    #[serde(default)]
    pub images: Option<usize>,
    /// A tool of this name is offered.
    #[serde(default)]
    pub offered: Option<String>,
    /// Matches at most so many times in this process.
    #[serde(default)]
    pub times: Option<usize>,
    /// What to answer.
    pub reply: Answer,
}

/// One answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Words.
    #[serde(default)]
    pub text: Option<String>,
    /// A value; its JSON is the text.
    #[serde(default)]
    pub json: Option<Value>,
    /// Tools to ask for.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    /// Fail with this instead.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// What the call cost.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Milliseconds before the first word.
    #[serde(default)]
    pub delay_ms: u64,
}

/// The model that replays.
pub struct Scripted {
    name: String,
    script: Script,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    rules: Vec<usize>,
    turns: usize,
}

impl Scripted {
    /// Replays the script under that name.
    #[must_use]
    pub fn new(name: impl Into<String>, script: Script) -> Self {
        let used = Used { rules: vec![0; script.rules.len()], turns: 0 };
        Self { name: name.into(), script, used: Mutex::new(used) }
    }

    /// Reads the script from a JSON file.
    ///
    /// # Errors
    /// `invalid` when the file cannot be read or is no script.
    pub fn from_file(name: impl Into<String>, path: &Path) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::invalid("script_invalid", format!("script {}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let script = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::new(name, script))
    }

    fn choose(&self, request: &ChatRequest) -> Result<Answer, Failure> {
        let mut used = self.used.lock();
        for (index, rule) in self.script.rules.iter().enumerate() {
            if rule.times.is_none_or(|times| used.rules[index] < times) && rule.matches(request) {
                used.rules[index] += 1;
                return Ok(rule.reply.clone());
            }
        }
        if let Some(answer) = self.script.turns.get(used.turns) {
            used.turns += 1;
            return Ok(answer.clone());
        }
        let nothing = || Failure::permanent("script_exhausted", "the script has no answer for this call");
        self.script.otherwise.clone().ok_or_else(nothing)
    }
}

impl Rule {
    fn matches(&self, request: &ChatRequest) -> bool {
        let said = |role: Role, words: &str| {
            request.messages.iter().any(|said| said.role == role && said.joined_text().contains(words))
        };
        let parts = || request.messages.iter().flat_map(|said| &said.content);
        let shown = || parts().filter(|part| part.as_text().is_none()).count();
        let turns = || request.messages.iter().filter(|said| said.role == Role::Assistant).count();
        self.user.as_ref().is_none_or(|words| request.question().contains(words))
            && self.system.as_ref().is_none_or(|words| said(Role::System, words))
            && self.tool.as_ref().is_none_or(|words| said(Role::Tool, words))
            && self.turn.is_none_or(|turn| turns() == turn)
            && self.images.is_none_or(|images| shown() == images)
            && self.offered.as_ref().is_none_or(|name| request.tools.iter().any(|tool| tool.name == *name))
    }
}

#[async_trait]
impl ChatModel for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    async fn chat(
        &self,
        request: &ChatRequest,
        sink: &dyn DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<ChatReply, Failure> {
        request.check()?;
        let answer = self.choose(request)?;
        let pause = tokio::time::sleep(std::time::Duration::from_millis(answer.delay_ms));
        if answer.delay_ms > 0 && cancel.run_until_cancelled(pause).await.is_none() || cancel.is_cancelled() {
            return Err(route::cancelled());
        }
        if let Some(failure) = answer.failure {
            return Err(failure);
        }
        let text = match (&answer.text, &answer.json) {
            (Some(text), _) => text.clone(),
            (None, Some(json)) => json.to_string(),
            (None, None) => String::new(),
        };
        let calls = answer.tool_calls;
        let json = match &request.output {
            Some(output) if calls.is_empty() => Some(structured::read(output, &text)?),
            _ => None,
        };
        for piece in text.split_inclusive(' ') {
            sink.delta(Delta::Text(piece.to_owned()));
        }
        for call in &calls {
            sink.delta(Delta::ToolCall(call.name.clone()));
        }
        let finish = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        let usage = answer.usage.unwrap_or_default();
        Ok(ChatReply { text, json, tool_calls: calls, finish, usage, model: self.name.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, Quiet};
    use serde_json::json;

    fn scripted(script: Value) -> Scripted {
        Scripted::new("scripted", serde_json::from_value(script).unwrap())
    }

    async fn ask(model: &Scripted, words: &str) -> Result<String, Failure> {
        let request = ChatRequest { messages: vec![Message::user(words)], ..ChatRequest::default() };
        model.chat(&request, &Quiet, &CancellationToken::new()).await.map(|reply| reply.text)
    }

    #[tokio::test]
    async fn rules_come_before_turns_and_turns_before_the_rest() {
        let model = scripted(json!({
            "rules": [{"user": "hello", "times": 1, "reply": {"text": "rule"}}],
            "turns": [{"text": "one"}, {"failure": {"class": "rate_limited", "code": "slow_down", "message": "wait"}}],
            "otherwise": {"json": {"done": true}}
        }));
        assert_eq!(ask(&model, "hello you").await.unwrap(), "rule");
        assert_eq!(ask(&model, "hello you").await.unwrap(), "one");
        assert_eq!(ask(&model, "x").await.unwrap_err().code, "slow_down");
        assert_eq!(ask(&model, "x").await.unwrap(), r#"{"done":true}"#);
    }

    #[tokio::test]
    async fn a_script_without_an_answer_says_so() {
        assert_eq!(ask(&scripted(json!({})), "x").await.unwrap_err().code, "script_exhausted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_ends_when_the_call_is_cancelled() {
        let model = scripted(json!({"turns": [{"text": "late", "delay_ms": 3_600_000}]}));
        let request = ChatRequest { messages: vec![Message::user("x")], ..ChatRequest::default() };
        let cancel = CancellationToken::new();
        let call = model.chat(&request, &Quiet, &cancel);
        let stop = async {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            cancel.cancel();
        };
        let (reply, ()) = tokio::join!(call, stop);
        assert_eq!(reply.unwrap_err().code, "cancelled");
    }
}
