//! The tool behind every `chat` node: one model call over a route, its words shown as
//! they come. Which model answers is the operator's choice; retries are the task
//! machine's.

mod conversation;
mod pictures;

use std::sync::Arc;

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_inference::{
    ChatReply, ChatRequest, Delta, DeltaSink, Message, OutputSchema, Part, Passage, Role, Routes, ToolChoice,
    ToolDefinition, schema,
};
use baton_telemetry::trace::{Kind, Live, Span};
use baton_telemetry::{metrics, names};
use baton_tools::roots::Roots;
use baton_tools::{Call, IoTool, JobBlobs};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Pieces that wait to be shown; more are dropped, the reply is whole anyway.
const DELTAS_MAX: usize = 256;

/// The tool.
pub struct Chat {
    routes: Routes,
    /// Where pictures may lie.
    roots: Arc<Roots>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    route: String,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Value>>,
    #[serde(default)]
    images: Option<Vec<Value>>,
    #[serde(default)]
    passages: Value,
    #[serde(default)]
    fields: Option<Map<String, Value>>,
    #[serde(default)]
    output_schema: Option<Value>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    tools: Option<Vec<ToolDefinition>>,
    #[serde(default)]
    tool_choice: Option<ToolChoice>,
}

impl Chat {
    /// Over those routes, with pictures beneath those folders.
    #[must_use]
    pub fn new(routes: Routes, roots: Arc<Roots>) -> Self {
        Self { routes, roots }
    }
}

#[async_trait]
impl IoTool for Chat {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "chat".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "Asks a model over a route and gives its words or a value of the wanted form".to_owned(),
            args_schema: args_schema(),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = serde_json::from_value(args)
            .map_err(|error| Failure::invalid("bad_arguments", format!("arguments of chat: {error}")))?;
        let passages = passages(&args.passages, call).await?;
        let route = args.route.clone();
        let said = conversation::read(args.messages.clone().unwrap_or_default(), call).await?;
        let pictures = pictures::read(args.images.clone().unwrap_or_default(), &self.roots, call).await?;
        let request = request(args, said, passages, pictures)?;
        let (sink, pieces) = mpsc::channel(DELTAS_MAX);
        let asking = async {
            let sink = Shown(sink);
            self.routes.chat(&route, &request, &sink, &call.cancel).await
        };
        let began = Instant::now();
        let mut span = Span::child(names::SPAN_CHAT, Kind::Client, call.trace);
        let (reply, ()) = tokio::join!(biased; asking, show(pieces, call.blobs.clone()));
        let cost = reply.as_ref().ok().and_then(|reply| self.routes.cost(reply));
        span.say(|span| trace(span, self.routes.known(&route), &reply));
        drop(span);
        measure(self.routes.known(&route), call.tenant.as_str(), began, &reply, cost);
        Ok(result(reply?, cost))
    }
}

/// The pieces of an answer on their way to whoever watches.
struct Shown(mpsc::Sender<Delta>);

impl DeltaSink for Shown {
    fn delta(&self, delta: Delta) {
        let _ = self.0.try_send(delta);
    }
}

/// Shows pieces, all that wait at once.
async fn show(mut pieces: mpsc::Receiver<Delta>, blobs: Arc<dyn JobBlobs>) {
    let mut waiting = Vec::new();
    while pieces.recv_many(&mut waiting, DELTAS_MAX).await > 0 {
        let mut text = String::new();
        let mut restarted = false;
        for delta in waiting.drain(..) {
            match delta {
                Delta::Text(more) => text.push_str(&more),
                Delta::ToolCall(_) => {}
                Delta::Restart => {
                    restarted = true;
                    text.clear();
                }
            }
        }
        if restarted || !text.is_empty() {
            blobs.progress(json!({ "delta": text, "restart": restarted })).await;
        }
    }
}

/// Passages as they stand in the arguments: a list, the result of a search that holds
/// one, or a blob of either.
async fn passages(value: &Value, call: &Call) -> Result<Vec<Passage>, Failure> {
    let value = baton_tools::read_value(value.clone(), call).await?;
    let list = match &value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => ["passages", "hits", "items", "results"].iter().find_map(|key| members.get(*key)),
        list => Some(list),
    };
    let refused = || Failure::invalid("bad_arguments", "passages are a list of { text, source: { file, page } }");
    let list = list.and_then(Value::as_array).ok_or_else(refused)?;
    list.iter().map(|passage| Passage::from_value(passage).ok_or_else(refused)).collect()
}

fn request(
    args: Args,
    said: Vec<Message>,
    passages: Vec<Passage>,
    pictures: Vec<Part>,
) -> Result<ChatRequest, Failure> {
    let schema = match (args.fields, args.output_schema) {
        (Some(_), Some(_)) => {
            return Err(Failure::invalid("bad_arguments", "fields and output_schema exclude each other"));
        }
        (Some(fields), None) => Some(schema::from_fields(&fields)?),
        (None, schema) => schema,
    };
    let mut messages = Vec::new();
    messages.extend(args.system.map(Message::system));
    messages.extend(said);
    messages.extend(args.user.map(Message::user));
    if !pictures.is_empty() {
        show_pictures(&mut messages, pictures);
    }
    Ok(ChatRequest {
        messages,
        passages,
        tools: args.tools.unwrap_or_default(),
        tool_choice: args.tool_choice.unwrap_or_default(),
        output: schema.map(|schema| OutputSchema { name: "answer".to_owned(), schema }),
        temperature: args.temperature,
        max_tokens: args.max_tokens,
    })
}

/// Puts pictures into what the user said last.
fn show_pictures(messages: &mut Vec<Message>, pictures: Vec<Part>) {
    match messages.iter_mut().rev().find(|message| message.role == Role::User) {
        Some(message) => message.content.extend(pictures),
        None => messages.push(Message { content: pictures, ..Message::user("") }),
    }
}

/// What a call's span says: which model, how much of it and why it ended; nothing of what was said.
fn trace(span: &mut Live, route: &str, reply: &Result<ChatReply, Failure>) {
    span.set(names::GEN_AI_OPERATION, names::SPAN_CHAT).set(names::ROUTE, route.to_owned());
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => {
            span.fail(failure.code.to_string());
            return;
        }
    };
    let (provider, model) = reply.model.split_once('/').unwrap_or((&reply.model, &reply.model));
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let finish = serde_json::to_value(reply.finish).unwrap_or_default();
    span.name(format!("{} {model}", names::SPAN_CHAT))
        .set(names::GEN_AI_PROVIDER, provider.to_owned())
        .set(names::GEN_AI_REQUEST_MODEL, model.to_owned())
        .set(names::GEN_AI_RESPONSE_MODEL, model.to_owned())
        .set_all(names::GEN_AI_FINISH_REASONS, finish.as_str().map(str::to_owned))
        .set(names::GEN_AI_INPUT_TOKENS, tokens(reply.usage.input_tokens))
        .set(names::GEN_AI_OUTPUT_TOKENS, tokens(reply.usage.output_tokens));
}

/// Counts a call, its time, its tokens and what they cost.
fn measure(route: &str, tenant: &str, began: Instant, reply: &Result<ChatReply, Failure>, cost: Option<f64>) {
    let metrics = metrics::worker();
    metrics.call.of(&[route]).observe(metrics::seconds(began.elapsed()));
    let outcome = reply.as_ref().map_or_else(|failure| failure.class.name(), |_| "succeeded");
    metrics.calls.of(&[route, outcome]).inc();
    if let Ok(reply) = reply {
        metrics.tokens.of(&[tenant, route, "input"]).inc_by(reply.usage.input_tokens);
        metrics.tokens.of(&[tenant, route, "output"]).inc_by(reply.usage.output_tokens);
    }
    if let Some(cost) = cost {
        metrics.cost.of(&[tenant, route]).inc_by(cost);
    }
}

fn result(reply: ChatReply, cost: Option<f64>) -> Value {
    let mut value = json!({
        "text": reply.text, "json": reply.json, "usage": reply.usage, "model": reply.model, "finish": reply.finish
    });
    if let Some(cost) = cost {
        value["usage"]["cost_usd"] = json!(cost);
    }
    if !reply.tool_calls.is_empty() {
        value["tool_calls"] = json!(reply.tool_calls);
    }
    value
}

fn args_schema() -> Value {
    json!({
        "type": "object",
        "required": ["route"],
        "additionalProperties": false,
        "properties": {
            "route": { "type": "string", "minLength": 1 },
            "system": { "type": ["string", "null"] },
            "user": { "type": ["string", "null"] },
            "images": { "type": ["array", "null"], "items": { "type": ["string", "object"] } },
            "messages": { "type": ["array", "null"], "items": { "type": "object", "required": ["role"] } },
            "passages": { "type": ["array", "object", "null"] },
            "fields": { "type": ["object", "null"] },
            "output_schema": { "type": ["object", "boolean", "null"] },
            "temperature": { "type": ["number", "null"], "minimum": 0, "maximum": 2 },
            "max_tokens": { "type": ["integer", "null"], "minimum": 1 },
            "tools": { "type": ["array", "null"], "items": { "type": "object", "required": ["name", "parameters"] } },
            "tool_choice": {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Chat {
        Chat::new(Routes::extractive(), Arc::default())
    }

    async fn ask(args: Value) -> Result<Value, Failure> {
        chat().call(args, &baton_tools::testing::call()).await
    }

    #[tokio::test]
    async fn an_answer_cites_the_passages_it_was_given() {
        let passages = json!([{ "text": "The bridge opened in 1931.", "source": { "file": "b.pdf", "page": 4 } }]);
        for given in [passages.clone(), json!({ "hits": passages })] {
            let value = ask(json!({ "route": "writer", "user": "When did the bridge open?", "passages": given })).await;
            let value = value.unwrap();
            assert!(value["text"].as_str().unwrap().contains("- The bridge opened in 1931. [b.pdf, p. 4]"), "{value}");
            assert_eq!(
                (&value["model"], &value["finish"], &value["json"]),
                (&json!("extractive"), &json!("stop"), &json!(null))
            );
        }
    }

    #[tokio::test]
    async fn fields_give_a_value() {
        let value = ask(json!({
            "route": "r", "user": "The bridge opened in 1931.\n\nWhen did the bridge open?", "fields": { "year": "integer" }
        }));
        assert_eq!(value.await.unwrap()["json"], json!({ "year": 1931 }));
    }

    #[tokio::test]
    async fn arguments_that_make_no_call_are_refused() {
        let code = async |args| ask(args).await.unwrap_err().code;
        assert_eq!(code(json!({ "route": "r" })).await, "chat_empty");
        assert_eq!(
            code(json!({ "route": "r", "user": "u", "fields": {}, "output_schema": {} })).await,
            "bad_arguments"
        );
        assert_eq!(code(json!({ "route": "r", "user": "u", "passages": [1] })).await, "bad_arguments");
        assert_eq!(code(json!({ "route": "r", "user": "u", "images": ["x"] })).await, "path_outside_roots");
    }

    #[tokio::test]
    async fn a_picture_is_shown_with_what_the_user_said_last() {
        let call = baton_tools::testing::call();
        call.blobs.put_artifact("a.gif", "image/gif", "GIF89a".into()).await.unwrap();
        let args = json!({ "route": "r", "user": "What is this?", "images": ["a.gif"] });
        let answer = chat().call(args.clone(), &call).await;
        assert_eq!(answer.unwrap_err().code, "images_unsupported", "quoting is no seeing");
        let script = json!({ "rules": [{ "user": "What is this?", "images": 1, "reply": { "text": "a bridge" } }] });
        let script = serde_json::from_value(script).unwrap();
        let model = baton_inference::scripted::Scripted::new("scripted", script);
        let routes = Routes::extractive().with("r", vec![Arc::new(model)]);
        assert_eq!(Chat::new(routes, Arc::default()).call(args, &call).await.unwrap()["text"], "a bridge");
    }

    #[test]
    fn its_schema_admits_what_nodes_send() {
        let catalogue = baton_tools::Catalogue::new([baton_tools::Tool::Io(Arc::new(chat()))]).unwrap();
        for messages in [json!(null), json!([{"role": "user", "content": "x"}])] {
            let args = json!({ "route": "r", "system": null, "user": "u", "messages": messages, "images": null });
            catalogue.validate("chat", &args).unwrap();
        }
        assert!(catalogue.validate("chat", &json!({ "user": "u" })).is_err());
    }
}
