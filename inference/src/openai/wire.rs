//! A request as the wire has it.

use serde_json::{Map, Value, json};

use super::names::Names;
use super::{Endpoint, Structured};
use crate::{ChatRequest, Message, OutputSchema, Part, Role, ToolChoice, prompt, schema};

/// The member under which a schema that is no object is wrapped, since strict servers
/// take objects only at the root.
const WRAPPED: &str = "value";

/// The request's body.
pub(super) fn body(endpoint: &Endpoint, request: &ChatRequest, names: &Names) -> Value {
    let mut messages = prompt::messages_with_passages(request);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(endpoint.model));
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    if let Some(output) = &request.output {
        if endpoint.structured != Structured::Schema {
            messages.insert(0, Message::system(prompt::schema_instruction(&output.schema)));
        }
        if let Some(format) = response_format(endpoint.structured, output) {
            body.insert("response_format".to_owned(), format);
        }
    }
    body.insert("messages".to_owned(), messages.iter().map(|said| message(said, names)).collect());
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), tools(request, names));
        body.insert("tool_choice".to_owned(), tool_choice(&request.tool_choice, names));
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(limit) = request.max_tokens {
        let name = if endpoint.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body.insert(name.to_owned(), json!(limit));
    }
    Value::Object(body)
}

/// Whether the schema travels inside an object of its own.
pub(super) fn is_wrapped(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) != Some("object") && schema.get("properties").is_none()
}

/// The value out of its wrapping.
pub(super) fn unwrap(schema: &Value, text: &str) -> String {
    if !is_wrapped(schema) {
        return text.to_owned();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut members)) if members.len() == 1 && members.contains_key(WRAPPED) => {
            members.remove(WRAPPED).unwrap_or_default().to_string()
        }
        _ => text.to_owned(),
    }
}

fn response_format(structured: Structured, output: &OutputSchema) -> Option<Value> {
    match structured {
        Structured::Prompt => None,
        Structured::Object => Some(json!({ "type": "json_object" })),
        Structured::Schema => {
            let root = if is_wrapped(&output.schema) {
                json!({
                    "type": "object", "properties": { WRAPPED: output.schema },
                    "required": [WRAPPED], "additionalProperties": false
                })
            } else {
                output.schema.clone()
            };
            let strict = schema::strict(&root);
            Some(json!({
                "type": "json_schema",
                "json_schema": { "name": output.name, "strict": strict.is_some(), "schema": strict.unwrap_or(root) }
            }))
        }
    }
}

fn message(message: &Message, names: &Names) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let text = message.joined_text();
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role));
    if message.tool_calls.is_empty() {
        out.insert("content".to_owned(), if message.has_image() { parts(message) } else { json!(text) });
    } else {
        out.insert("content".to_owned(), if text.is_empty() { Value::Null } else { json!(text) });
        let calls = message.tool_calls.iter().map(|call| {
            json!({
                "id": call.id, "type": "function",
                "function": { "name": names.to_wire(&call.name), "arguments": call.arguments.to_string() }
            })
        });
        out.insert("tool_calls".to_owned(), calls.collect());
    }
    if let Some(id) = &message.tool_call_id {
        out.insert("tool_call_id".to_owned(), json!(id));
    }
    Value::Object(out)
}

/// Words and pictures in their order.
fn parts(message: &Message) -> Value {
    let part = |part: &Part| match part {
        Part::Text { text } => json!({ "type": "text", "text": text }),
        Part::Image { url, .. } => json!({ "type": "image_url", "image_url": { "url": url } }),
    };
    message.content.iter().map(part).collect()
}

fn tools(request: &ChatRequest, names: &Names) -> Value {
    let tool = |tool: &crate::ToolDefinition| {
        let name = names.to_wire(&tool.name);
        let function = json!({ "name": name, "description": tool.description, "parameters": tool.parameters });
        json!({ "type": "function", "function": function })
    };
    request.tools.iter().map(tool).collect()
}

fn tool_choice(choice: &ToolChoice, names: &Names) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": names.to_wire(name) } }),
    }
}
