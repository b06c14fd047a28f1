//! What is said in a conversation. How a provider writes it on its wire is left to that
//! provider.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions that outrank what users say.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    Image {
        /// `image/png` and the like.
        media_type: String,
        /// The picture itself, as a `data:` URL: a model's server is never sent to fetch one.
        url: String,
    },
}

/// The media types of pictures that models read.
pub const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// A tool call that a model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Quoted by the result.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; a plain string is read as one text part, and what is neither that nor
    /// a list of parts, such as the result of a tool, as the text of its JSON.
    #[serde(default, deserialize_with = "content", skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Part>,
    /// Calls the assistant asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a message of role `tool` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![Part::Text { text: text.into() }], tool_calls: Vec::new(), tool_call_id: None }
    }

    /// Instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::text(Role::System, text)
    }

    /// A user's words.
    pub fn user(text: impl Into<String>) -> Self {
        Self::text(Role::User, text)
    }

    /// A model's words.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::text(Role::Assistant, text)
    }

    /// The result of the tool call `id`.
    pub fn tool_result(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tool_call_id: Some(id.into()), ..Self::text(Role::Tool, text) }
    }

    /// The text parts, joined by line breaks.
    #[must_use]
    pub fn joined_text(&self) -> String {
        let texts: Vec<&str> = self.content.iter().filter_map(Part::as_text).collect();
        texts.join("\n")
    }

    /// Whether a part is a picture.
    #[must_use]
    pub fn has_image(&self) -> bool {
        self.content.iter().any(|part| part.as_text().is_none())
    }
}

impl Part {
    /// The words of a text part.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image { .. } => None,
        }
    }

    /// Whether it is a picture that is not there whole, or of a type that no model reads.
    pub(crate) fn is_bad_image(&self) -> bool {
        let Self::Image { media_type, url } = self else { return false };
        let data = url.strip_prefix("data:").and_then(|rest| rest.strip_prefix(media_type.as_str()));
        !PICTURES.contains(&media_type.as_str()) || !data.is_some_and(|data| data.starts_with(";base64,"))
    }
}

fn content<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Part>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<Part>),
        Nothing(()),
        Other(Value),
    }
    Ok(match Content::deserialize(deserializer)? {
        Content::Text(text) => vec![Part::Text { text }],
        Content::Parts(parts) => parts,
        Content::Nothing(()) => Vec::new(),
        Content::Other(value) => vec![Part::Text { text: value.to_string() }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plain_string_reads_as_one_text_part() {
        let message: Message = serde_json::from_value(json!({"role": "user", "content": "hello"})).unwrap();
        assert_eq!(message, Message::user("hello"));
        let again: Message = serde_json::from_value(serde_json::to_value(&message).unwrap()).unwrap();
        assert_eq!(again, message);
    }

    #[test]
    fn the_result_of_a_tool_reads_as_its_json() {
        let message: Message = serde_json::from_value(json!({
            "role": "tool", "tool_call_id": "a", "content": {"result": {"b": [1], "a": "x"}}
        }))
        .unwrap();
        assert_eq!(message, Message::tool_result("a", r#"{"result":{"a":"x","b":[1]}}"#));
    }

    #[test]
    fn an_assistant_turn_may_hold_calls_and_no_words() {
        let message: Message = serde_json::from_value(json!({
            "role": "assistant", "content": null, "tool_calls": [{"id": "a", "name": "t", "arguments": {"x": 1}}]
        }))
        .unwrap();
        assert_eq!(message.joined_text(), "");
        assert_eq!(message.tool_calls[0].arguments["x"], 1);
    }
}
