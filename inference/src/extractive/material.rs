//! What a request offers to quote from, and the question put to it.

use serde_json::Value;

use super::words;
use crate::{ChatRequest, Passage, Role};

/// Question and passages of a request.
pub(super) struct Material {
    /// What is asked.
    pub(super) question: String,
    /// What may be quoted.
    pub(super) passages: Vec<Passage>,
    /// Words read.
    pub(super) words: u64,
}

impl Material {
    /// From the request's passages; else from passages written as JSON into the last
    /// user message; else from the words around its question and from earlier messages.
    pub(super) fn of(request: &ChatRequest) -> Self {
        let text = request.question();
        let (question, passages) = if !request.passages.is_empty() {
            (text, request.passages.clone())
        } else if let Some((question, passages)) = embedded(&text) {
            (question, passages)
        } else {
            plain(request, &text)
        };
        let words = words(&question) + passages.iter().map(|passage| words(&passage.text)).sum::<u64>();
        Self { question, passages, words }
    }
}

/// Every JSON list of passages in the text, and the text without them.
fn embedded(text: &str) -> Option<(String, Vec<Passage>)> {
    let mut passages = Vec::new();
    let mut question = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[{") {
        question.push_str(&rest[..start]);
        let mut values = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Array(elements))) => {
                passages.extend(elements.iter().filter_map(Passage::from_value));
                rest = &rest[start + values.byte_offset()..];
            }
            _ => {
                question.push_str("[{");
                rest = &rest[start + 2..];
            }
        }
    }
    question.push_str(rest);
    (!passages.is_empty()).then_some((question, passages))
}

/// The last paragraph that asks something is the question; what is left is material.
fn plain(request: &ChatRequest, text: &str) -> (String, Vec<Passage>) {
    let paragraphs: Vec<&str> = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect();
    let asked = paragraphs.iter().rposition(|part| part.ends_with('?')).unwrap_or(0);
    let question = paragraphs.get(asked).copied().unwrap_or_default().to_owned();
    let mut passages: Vec<Passage> = paragraphs
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != asked)
        .map(|(_, part)| Passage { text: (*part).to_owned(), source: None })
        .collect();
    let mut earlier: Vec<&crate::Message> = request.messages.iter().filter(|said| said.role != Role::System).collect();
    if let Some(last) = earlier.iter().rposition(|said| said.role == Role::User) {
        earlier.remove(last);
    }
    passages.extend(earlier.iter().map(|said| Passage { text: said.joined_text(), source: None }));
    (question, passages)
}
