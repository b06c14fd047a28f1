//! A conversation as it stands in the arguments of a chat. What tools gave may lie in blobs,
//! of which a model knows nothing: they are put in the place of their references, up to a
//! size. And every call of a tool in it has an answer, since no model reads a conversation
//! in which one is left open.

use baton_common::{ErrorClass, Failure};
use baton_inference::{Message, Role};
use baton_tools::Call;
use serde_json::{Value, json};

/// Bytes of blobs in one conversation; what is beyond stays a reference.
const BLOBS_BYTES_MAX: u64 = 1024 * 1024;

/// The messages.
///
/// # Errors
/// When one is none, or blobs cannot be read for now.
pub(super) async fn read(mut messages: Vec<Value>, call: &Call) -> Result<Vec<Message>, Failure> {
    let mut room = BLOBS_BYTES_MAX;
    for message in messages.iter_mut().filter(|message| message["role"] == "tool") {
        let mut found = Vec::new();
        references(&message["content"], "/content", &mut found);
        for (pointer, bytes) in found {
            let Some(left) = room.checked_sub(bytes) else { continue };
            let Some(place) = message.pointer_mut(&pointer) else { continue };
            match baton_tools::read_value(place.clone(), call).await {
                Ok(value) => (*place, room) = (value, left),
                Err(failure) if failure.class == ErrorClass::Transient => return Err(failure),
                // What a tool gave may look like a reference and be none.
                Err(_) => {}
            }
        }
    }
    let read = |message| {
        serde_json::from_value(message)
            .map_err(|error| Failure::invalid("bad_arguments", format!("arguments of chat: messages: {error}")))
    };
    messages.into_iter().map(read).collect::<Result<_, _>>().map(answered)
}

/// The conversation, with an answer behind every call that has none: a run that ended in the
/// middle of a turn left it, and nobody will answer it any more.
fn answered(messages: Vec<Message>) -> Vec<Message> {
    let mut whole = Vec::with_capacity(messages.len());
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        if message.role == Role::Tool {
            open.retain(|id| message.tool_call_id.as_ref() != Some(id));
        } else {
            whole.extend(open.drain(..).map(unanswered));
            open.extend(message.tool_calls.iter().map(|call| call.id.clone()));
        }
        whole.push(message);
    }
    whole.extend(open.into_iter().map(unanswered));
    whole
}

fn unanswered(id: String) -> Message {
    let error = json!({"code": "cancelled", "message": "the run ended before this call was answered"});
    Message::tool_result(id, json!({ "error": error }).to_string())
}

/// Where blobs are referred to, and how large they are.
fn references(value: &Value, pointer: &str, found: &mut Vec<(String, u64)>) {
    match value {
        Value::Object(members) => match members.get("$blob") {
            Some(blob) => found.extend(blob["bytes"].as_u64().map(|bytes| (pointer.to_owned(), bytes))),
            None => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    references(member, &format!("{pointer}/{name}"), found);
                }
            }
        },
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                references(element, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refers(bytes: u64) -> Value {
        json!({"$blob": {"bytes": bytes, "digest": "d", "key": "k", "media_type": "application/json"}})
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let mut found = Vec::new();
        references(&json!({"result": {"a/b": [1, refers(7)], "text": refers(9)}}), "/content", &mut found);
        assert_eq!(found, [("/content/result/a~1b/1".to_owned(), 7), ("/content/result/text".to_owned(), 9)]);
    }

    #[tokio::test]
    async fn what_is_no_blob_or_too_large_stays_as_it_is() {
        let call = baton_tools::testing::call();
        for content in [refers(BLOBS_BYTES_MAX + 1), json!({"$blob": {"bytes": 1}}), json!("text")] {
            let message = json!({"role": "tool", "tool_call_id": "a", "content": {"result": content}});
            let read = read(vec![message], &call).await.unwrap();
            assert_eq!(read, [Message::tool_result("a", json!({"result": content}).to_string())]);
        }
    }

    #[tokio::test]
    async fn a_call_that_nobody_answered_is_answered_as_cancelled() {
        let call = baton_tools::testing::call();
        let asks = |ids: &[&str]| {
            let calls: Vec<Value> =
                ids.iter().map(|id| json!({"id": id, "name": "file.list", "arguments": {}})).collect();
            json!({"role": "assistant", "content": "", "tool_calls": calls})
        };
        let told = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "seen"});
        let said = |words: &str| json!({"role": "user", "content": words});
        let given = vec![said("a"), asks(&["1", "2", "3"]), told("2"), said("b"), asks(&["4"])];
        let read = read(given, &call).await.unwrap();
        let shape: Vec<_> = read.iter().map(|said| (said.role, said.tool_call_id.as_deref().unwrap_or(""))).collect();
        let expected = [
            (Role::User, ""),
            (Role::Assistant, ""),
            (Role::Tool, "2"),
            (Role::Tool, "1"),
            (Role::Tool, "3"),
            (Role::User, ""),
            (Role::Assistant, ""),
            (Role::Tool, "4"),
        ];
        assert_eq!(shape, expected);
        assert_eq!(read[2].joined_text(), "seen");
        assert!(read[3].joined_text().contains("cancelled"), "{:?}", read[3]);
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        let call = baton_tools::testing::call();
        assert_eq!(read(vec![json!({"role": "nobody"})], &call).await.unwrap_err().code, "bad_arguments");
    }
}
