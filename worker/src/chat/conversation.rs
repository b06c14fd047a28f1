//! A conversation as it stands in the arguments of a chat. What tools gave may lie in blobs,
//! of which a model knows nothing: they are put in the place of their references, up to a
//! size.

use baton_common::{ErrorClass, Failure};
use baton_inference::Message;
use baton_tools::Call;
use serde_json::Value;

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
    messages.into_iter().map(read).collect()
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
    async fn what_is_no_message_is_refused() {
        let call = baton_tools::testing::call();
        assert_eq!(read(vec![json!({"role": "nobody"})], &call).await.unwrap_err().code, "bad_arguments");
    }
}
