//! What is asked of a model, whoever it is.

use baton_common::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Message, Passage, Role};

/// A tool that a model may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// Its name, as the model will quote it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Whether a model may, must or must not ask for tools.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// No tool.
    None,
    /// At least one. Checked on the reply, since some servers ignore it.
    Required,
    /// This one.
    Named(String),
}

/// The form an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// A short name: letters, digits, `_` and `-`.
    pub name: String,
    /// JSON Schema; references to other documents are refused.
    pub schema: Value,
}

/// One chat call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatRequest {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Pieces of documents the answer is to rest on and cite.
    pub passages: Vec<Passage>,
    /// Tools the model may ask for.
    pub tools: Vec<ToolDefinition>,
    /// Whether it may, must or must not.
    pub tool_choice: ToolChoice,
    /// The form of the answer; free text where there is none.
    pub output: Option<OutputSchema>,
    /// From 0, exact, to 2, wild; the provider's own choice where there is none.
    pub temperature: Option<f64>,
    /// The most tokens to answer with.
    pub max_tokens: Option<u32>,
}

impl ChatRequest {
    /// The words of the last message a user said.
    #[must_use]
    pub fn question(&self) -> String {
        self.messages
            .iter()
            .rev()
            .find(|message| message.role == Role::User)
            .map(Message::joined_text)
            .unwrap_or_default()
    }

    /// What no provider can answer.
    ///
    /// # Errors
    /// `invalid` when nothing is said, a picture is not there whole, or a number is out of range.
    pub fn check(&self) -> Result<(), Failure> {
        if self.messages.is_empty() {
            return Err(Failure::invalid("chat_empty", "a chat call needs user, system or messages"));
        }
        if self.messages.iter().flat_map(|said| &said.content).any(crate::Part::is_bad_image) {
            let why = "pictures of a chat are PNG, JPEG, GIF or WebP, given in `images`";
            return Err(Failure::invalid("image_invalid", why));
        }
        if self.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            return Err(Failure::invalid("chat_invalid", "temperature lies between 0 and 2"));
        }
        if self.max_tokens == Some(0) {
            return Err(Failure::invalid("chat_invalid", "max_tokens is at least 1"));
        }
        if self.tools.is_empty() && matches!(self.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(Failure::invalid("chat_invalid", "a tool is required and none is offered"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_model_can_answer_is_refused_before_the_call() {
        let good = ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() };
        assert!(good.check().is_ok());
        let code = |request: ChatRequest| request.check().unwrap_err().code;
        assert_eq!(code(ChatRequest::default()), "chat_empty");
        assert_eq!(code(ChatRequest { temperature: Some(3.0), ..good.clone() }), "chat_invalid");
        assert_eq!(code(ChatRequest { tool_choice: ToolChoice::Required, ..good.clone() }), "chat_invalid");
        let picture = |media_type: &str, url: &str| {
            let mut shown = good.clone();
            let (media_type, url) = (media_type.to_owned(), url.to_owned());
            shown.messages[0].content.push(crate::Part::Image { media_type, url });
            shown
        };
        assert!(picture("image/png", "data:image/png;base64,AA==").check().is_ok());
        for (media_type, url) in [
            ("image/png", "http://169.254.169.254/picture.png"),
            ("image/png", "data:image/jpeg;base64,AA=="),
            ("text/html", "data:text/html;base64,AA=="),
        ] {
            assert_eq!(code(picture(media_type, url)), "image_invalid", "{url}");
        }
    }
}
