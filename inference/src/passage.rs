//! Passages: pieces of documents that a chat call carries beside its words, each with the
//! place it comes from, so that an answer can cite them. Finding them is left to `rag`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a passage stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The document, as a person would name it.
    pub file: String,
    /// Its page, from 1, where the document has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
}

/// The citation: `[file, p. 3]`, or `[file]` where there are no pages.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.page {
            Some(page) => write!(f, "[{}, p. {page}]", self.file),
            None => write!(f, "[{}]", self.file),
        }
    }
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Passage {
    /// Its words.
    pub text: String,
    /// Where it stands, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Passage {
    /// Reads a passage from what searches give: `{ text, source: { file, page } }`, the
    /// same with `file` and `page` beside `text`, a source as plain text, or a string.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return Some(Self { text: text.to_owned(), source: None });
        }
        let text = value.get("text")?.as_str()?.to_owned();
        let source = match value.get("source") {
            Some(Value::String(file)) => {
                Some(Source { file: file.clone(), page: value.get("page").and_then(Value::as_u64) })
            }
            Some(nested @ Value::Object(_)) => source_of(nested),
            _ => source_of(value),
        };
        Some(Self { text, source })
    }

    /// The citation of its source, empty where there is none.
    #[must_use]
    pub fn citation(&self) -> String {
        self.source.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Passage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value)
            .ok_or_else(|| serde::de::Error::custom("a passage is { text, source: { file, page } } or a string"))
    }
}

fn source_of(value: &Value) -> Option<Source> {
    let file = ["file", "path", "name"].iter().find_map(|key| value.get(key)?.as_str())?;
    Some(Source { file: file.to_owned(), page: value.get("page").and_then(Value::as_u64) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_source_is_found_wherever_a_search_puts_it() {
        for value in [
            json!({"text": "t", "source": {"file": "a.pdf", "page": 3}}),
            json!({"text": "t", "file": "a.pdf", "page": 3, "score": 1.5}),
            json!({"text": "t", "source": "a.pdf", "page": 3}),
        ] {
            let passage: Passage = serde_json::from_value(value).unwrap();
            assert_eq!(passage.citation(), "[a.pdf, p. 3]");
        }
        assert_eq!(Passage::from_value(&json!("words")).unwrap().citation(), "");
        assert!(serde_json::from_value::<Passage>(json!({"file": "a"})).is_err());
    }
}
