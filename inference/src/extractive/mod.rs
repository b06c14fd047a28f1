//! An answer without a model: the sentences of the input that match the question best,
//! each with its source. It says so in its first line, so that nobody takes it for prose.
//!
//! Deterministic: equal requests give equal bytes. Understanding the question is left to
//! real models; this one matches words.

mod fill;
mod material;
mod sentence;
mod terms;

use async_trait::async_trait;
use baton_common::Failure;
use tokio_util::sync::CancellationToken;

use crate::{ChatModel, ChatReply, ChatRequest, Delta, DeltaSink, FinishReason, ToolChoice, Usage};
use material::Material;
use terms::{Quote, select};

/// Sentences in an answer unless `max_tokens` asks for fewer.
const SENTENCES_MAX: usize = 8;

/// About how many tokens a sentence costs, to honour `max_tokens`.
const TOKENS_PER_SENTENCE: u32 = 40;

/// The model that quotes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extractive;

#[async_trait]
impl ChatModel for Extractive {
    fn name(&self) -> &str {
        "extractive"
    }

    async fn chat(
        &self,
        request: &ChatRequest,
        sink: &dyn DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<ChatReply, Failure> {
        request.check()?;
        if cancel.is_cancelled() {
            return Err(crate::route::cancelled());
        }
        if matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
            return Err(Failure::permanent(
                "extractive_cannot",
                "extractive answers cannot call tools; configure a model",
            ));
        }
        if request.messages.iter().any(crate::Message::has_image) {
            return Err(Failure::invalid(
                "images_unsupported",
                "extractive answers read no pictures; configure a model that does",
            ));
        }
        let material = Material::of(request);
        let limit =
            request.max_tokens.map_or(SENTENCES_MAX, |tokens| (tokens / TOKENS_PER_SENTENCE).clamp(1, 8) as usize);
        let quotes = select(&material.question, &material.passages, limit);
        let (text, json) = match &request.output {
            None => (in_words(&quotes), None),
            Some(output) => {
                let value = fill::fill(output, &material, &quotes)?;
                (value.to_string(), Some(value))
            }
        };
        sink.delta(Delta::Text(text.clone()));
        let usage = Usage { input_tokens: material.words, output_tokens: words(&text), ..Usage::default() };
        let model = self.name().to_owned();
        Ok(ChatReply { text, json, tool_calls: Vec::new(), finish: FinishReason::Stop, usage, model })
    }
}

/// Markdown: the line that says what this is, then a bullet with its citation for each
/// sentence.
fn in_words(quotes: &[Quote]) -> String {
    if quotes.is_empty() {
        return "_Extracted, not written by a model: no sentence of the documents matches the question._\n".to_owned();
    }
    let mut text = String::from(
        "_Extracted, not written by a model: these sentences of the documents match the question best._\n\n",
    );
    for quote in quotes {
        text.push_str("- ");
        text.push_str(&quote.text);
        if !quote.citation.is_empty() {
            text.push(' ');
            text.push_str(&quote.citation);
        }
        text.push('\n');
    }
    text
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, OutputSchema, Passage, Quiet, Source};
    use serde_json::json;

    fn passage(file: &str, page: u64, text: &str) -> Passage {
        Passage { text: text.to_owned(), source: Some(Source { file: file.to_owned(), page: Some(page) }) }
    }

    fn request() -> ChatRequest {
        ChatRequest {
            messages: vec![Message::user("When was the harbour bridge of Tarnow opened?")],
            passages: vec![
                passage(
                    "bridges.pdf",
                    4,
                    "Bridges rust. The harbour bridge at Tarnow was opened\nin 1931 by the mayor. It is grey.",
                ),
                passage(
                    "ferries.pdf",
                    1,
                    "The ferry costs 3.50 euros. Dr. Nowak runs it since the harbour was rebuilt.",
                ),
                passage("cooking.pdf", 9, "Soup needs salt and patience."),
            ],
            ..ChatRequest::default()
        }
    }

    async fn answer(request: &ChatRequest) -> Result<ChatReply, Failure> {
        Extractive.chat(request, &Quiet, &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn the_best_sentence_comes_first_and_cites_file_and_page() {
        let reply = answer(&request()).await.unwrap();
        let lines: Vec<&str> = reply.text.lines().collect();
        assert!(lines[0].contains("not written by a model"));
        assert_eq!(lines[2], "- The harbour bridge at Tarnow was opened in 1931 by the mayor. [bridges.pdf, p. 4]");
        assert!(!reply.text.contains("Soup"), "what shares no word with the question stays out");
        assert!(lines[2..].iter().all(|line| line.starts_with("- ") && line.ends_with(']')), "{}", reply.text);
    }

    #[tokio::test]
    async fn equal_requests_give_equal_bytes() {
        assert_eq!(answer(&request()).await.unwrap(), answer(&request()).await.unwrap());
    }

    #[tokio::test]
    async fn passages_written_into_the_prompt_as_json_are_found() {
        let mut written = request();
        let json = serde_json::to_string(&written.passages).unwrap();
        written.messages = vec![Message::user(format!("When was the harbour bridge of Tarnow opened?\n{json}"))];
        written.passages.clear();
        assert_eq!(answer(&written).await.unwrap().text, answer(&request()).await.unwrap().text);
    }

    #[tokio::test]
    async fn without_passages_the_text_around_the_question_is_quoted() {
        let plain = ChatRequest {
            messages: vec![Message::user("Ada wrote the first program. Soup is hot.\n\nWho wrote the first program?")],
            ..ChatRequest::default()
        };
        let text = answer(&plain).await.unwrap().text;
        assert!(text.contains("- Ada wrote the first program.\n") && !text.contains("Soup"), "{text}");
    }

    #[tokio::test]
    async fn nothing_that_matches_is_said_plainly() {
        let mut none = request();
        none.passages = vec![passage("a.pdf", 1, "Entirely unrelated words.")];
        assert!(answer(&none).await.unwrap().text.contains("no sentence of the documents matches"));
    }

    fn with_schema(properties: serde_json::Value, required: serde_json::Value) -> ChatRequest {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        ChatRequest { output: Some(OutputSchema { name: "a".to_owned(), schema }), ..request() }
    }

    #[tokio::test]
    async fn fields_are_filled_from_the_sentences() {
        let filled = with_schema(
            json!({
                "answer": {"type": "string"}, "sources": {"type": "array", "items": {"type": "string"}},
                "opened": {"type": "integer"}, "page": {"type": "integer"}, "approved": {"type": "boolean"}
            }),
            json!(["answer", "sources", "opened", "page"]),
        );
        let json = answer(&filled).await.unwrap().json.unwrap();
        assert_eq!(json["sources"][0], "[bridges.pdf, p. 4]");
        assert_eq!(json["opened"], 1931);
        assert_eq!(json["page"], 4);
        assert!(json["answer"].as_str().unwrap().starts_with("The harbour bridge"), "{json}");
        assert!(json.get("approved").is_none(), "an optional judgement is left out");
    }

    #[tokio::test]
    async fn a_required_judgement_fails_clearly() {
        let failure = answer(&with_schema(json!({"approved": {"type": "boolean"}}), json!(["approved"]))).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.code, "extractive_cannot");
        assert!(failure.message.contains("\"approved\"") && !failure.class.retryable(), "{failure}");
    }
}
