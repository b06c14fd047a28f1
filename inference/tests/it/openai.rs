//! The OpenAI-compatible provider over real sockets.

use std::sync::{Arc, Mutex};

use baton_common::Failure;
use baton_inference::openai::{Endpoint, OpenAi, Secret, Structured};
use baton_inference::{
    ChatModel as _, ChatReply, ChatRequest, Delta, DeltaSink, FinishReason, Message, OutputSchema, Part, Quiet,
    ToolCall, ToolChoice, ToolDefinition,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::server::{End, Script, Server};

pub(crate) fn endpoint(server: &Server) -> Endpoint {
    Endpoint {
        name: "test/model".to_owned(),
        base_url: server.base_url.clone(),
        model: "model".to_owned(),
        key: Some(Secret::new("sk-test")),
        structured: Structured::Schema,
        completion_tokens: false,
        idle_ms: 5_000,
    }
}

pub(crate) fn model(server: &Server) -> OpenAi {
    OpenAi::new(endpoint(server), crate::routes::http(server.port))
}

fn request() -> ChatRequest {
    ChatRequest { messages: vec![Message::system("be kind"), Message::user("hi")], ..ChatRequest::default() }
}

pub(crate) fn words(text: &str, finish: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})
}

async fn ask(scripts: Vec<Script>, request: &ChatRequest) -> (Result<ChatReply, Failure>, Server) {
    let server = Server::start(scripts).await;
    let reply = model(&server).chat(request, &Quiet, &CancellationToken::new()).await;
    (reply, server)
}

#[derive(Default)]
struct Shown(Mutex<Vec<Delta>>);

impl DeltaSink for Shown {
    fn delta(&self, delta: Delta) {
        self.0.lock().unwrap().push(delta);
    }
}

#[tokio::test]
async fn words_come_whole_wherever_the_stream_is_split() {
    let chunks = [
        words("Grüße ", None),
        words("aus 東京 🗼", None),
        words("", Some("stop")),
        json!({"choices": [], "usage": {
            "prompt_tokens": 20, "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 12}, "completion_tokens_details": {"reasoning_tokens": 4}
        }}),
    ];
    for size in [1, 2, 3, 7, 1000] {
        let (reply, _) = ask(vec![Script::events(&chunks, size)], &request()).await;
        let reply = reply.unwrap();
        assert_eq!(reply.text, "Grüße aus 東京 🗼", "pieces of {size} bytes");
        assert_eq!(reply.finish, FinishReason::Stop);
        let usage = reply.usage;
        assert_eq!(
            [usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens],
            [20, 12, 9, 4]
        );
    }
}

#[tokio::test]
async fn byte_order_marks_do_no_harm() {
    let (reply, _) = ask(vec![Script::events(&[words("x", Some("stop"))], 2).marked()], &request()).await;
    assert_eq!(reply.unwrap().text, "x");
}

#[tokio::test]
async fn the_request_says_what_was_asked() {
    let mut asked = request();
    asked.temperature = Some(0.5);
    asked.max_tokens = Some(64);
    asked.messages.push(Message {
        tool_calls: vec![ToolCall { id: "c1".to_owned(), name: "look".to_owned(), arguments: json!({"at": 1}) }],
        ..Message::text(baton_inference::Role::Assistant, "")
    });
    asked.messages.push(Message::tool_result("c1", "seen"));
    let (_, server) = ask(vec![Script::events(&[words("x", Some("stop"))], 99)], &asked).await;
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("post /v1/chat/completions "), "{}", seen.head);
    assert!(seen.head.contains("authorization: bearer sk-test"));
    assert_eq!(seen.body["stream_options"]["include_usage"], true);
    assert_eq!(seen.body["temperature"], 0.5);
    assert_eq!(seen.body["max_tokens"], 64);
    assert_eq!(seen.body["messages"][0], json!({"role": "system", "content": "be kind"}));
    assert_eq!(seen.body["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"at":1}"#);
    assert_eq!(seen.body["messages"][3], json!({"role": "tool", "content": "seen", "tool_call_id": "c1"}));
}

#[tokio::test]
async fn interleaved_fragments_of_tool_calls_find_their_own() {
    let call = |index: usize, id: Option<&str>, name: Option<&str>, arguments: &str| {
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
        ]}}]})
    };
    let chunks = [
        call(0, Some("a"), Some("weather"), ""),
        call(1, Some("b"), Some("time"), "{\"zo"),
        call(0, None, None, "{\"city\":"),
        call(1, None, None, "ne\":\"CET\"}"),
        call(0, None, None, "\"Graz\"}"),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    let tool = |name: &str| ToolDefinition { name: name.to_owned(), description: String::new(), parameters: json!({}) };
    let asked =
        ChatRequest { tools: vec![tool("weather"), tool("time")], tool_choice: ToolChoice::Required, ..request() };
    let server = Server::start(vec![Script::events(&chunks, 5)]).await;
    let shown = Shown::default();
    let reply = model(&server).chat(&asked, &shown, &CancellationToken::new()).await.unwrap();
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    let calls: Vec<_> =
        reply.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), &call.arguments)).collect();
    assert_eq!(calls, [("a", "weather", &json!({"city": "Graz"})), ("b", "time", &json!({"zone": "CET"}))]);
    let deltas = shown.0.into_inner().unwrap();
    assert_eq!(deltas, [Delta::ToolCall("weather".to_owned()), Delta::ToolCall("time".to_owned())]);
    assert_eq!(server.seen()[0].body["tool_choice"], "required");
}

#[tokio::test]
async fn tools_have_names_on_the_wire_that_it_takes_and_come_back_by_their_own() {
    let tool = |name: &str| ToolDefinition { name: name.to_owned(), description: String::new(), parameters: json!({}) };
    let mut asked = ChatRequest {
        tools: vec![tool("doc.extract"), tool("doc_extract"), tool("skill.read")],
        tool_choice: ToolChoice::Named("doc.extract".to_owned()),
        ..request()
    };
    asked.messages.push(Message {
        tool_calls: vec![ToolCall { id: "c1".to_owned(), name: "gone.tool".to_owned(), arguments: json!({}) }],
        ..Message::text(baton_inference::Role::Assistant, "")
    });
    asked.messages.push(Message::tool_result("c1", "seen"));
    let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "doc_extract_2", "arguments": "{}"}},
        {"index": 1, "id": "b", "function": {"name": "skill_read", "arguments": "{}"}},
    ]}, "finish_reason": "tool_calls"}]});
    let server = Server::start(vec![Script::events(&[call], 9)]).await;
    let shown = Shown::default();
    let reply = model(&server).chat(&asked, &shown, &CancellationToken::new()).await.unwrap();
    let calls: Vec<_> = reply.tool_calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(calls, ["doc.extract", "skill.read"]);
    let told: Vec<_> = calls.iter().map(|name| Delta::ToolCall((*name).to_owned())).collect();
    assert_eq!(shown.0.into_inner().unwrap(), told);
    let body = &server.seen()[0].body;
    let offered: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(offered, ["doc_extract_2", "doc_extract", "skill_read"]);
    assert_eq!(body["tool_choice"]["function"]["name"], "doc_extract_2");
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["name"], "gone_tool");
}

#[tokio::test]
async fn pictures_stand_beside_the_words_they_belong_to() {
    let mut asked = request();
    let url = "data:image/png;base64,iVBORw0KGgo=".to_owned();
    asked.messages[1].content.push(Part::Image { media_type: "image/png".to_owned(), url: url.clone() });
    let (reply, server) = ask(vec![Script::events(&[words("a bridge", Some("stop"))], 99)], &asked).await;
    assert_eq!(reply.unwrap().text, "a bridge");
    let messages = &server.seen()[0].body["messages"];
    assert_eq!(messages[0]["content"], "be kind", "words alone stay a text");
    let shown = json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": url}}]);
    assert_eq!(messages[1]["content"], shown);
}

#[tokio::test]
async fn a_server_that_ignores_a_required_tool_is_found_out() {
    let tools = vec![ToolDefinition { name: "t".to_owned(), description: String::new(), parameters: json!({}) }];
    let asked = ChatRequest { tools, tool_choice: ToolChoice::Required, ..request() };
    let (reply, _) = ask(vec![Script::events(&[words("no", Some("stop"))], 99)], &asked).await;
    assert_eq!(reply.unwrap_err().code, "model_output_invalid");
}

fn structured(schema: Value) -> ChatRequest {
    ChatRequest { output: Some(OutputSchema { name: "review".to_owned(), schema }), ..request() }
}

#[tokio::test]
async fn a_structured_answer_is_asked_for_strictly_and_checked() {
    let asked = structured(json!({
        "type": "object", "required": ["ok"],
        "properties": {"ok": {"type": "boolean"}, "note": {"type": "string"}}
    }));
    let good = Script::events(&[words(r#"{"ok": true, "note": null}"#, Some("stop"))], 9);
    let (reply, server) = ask(vec![good], &asked).await;
    assert_eq!(reply.unwrap().json, Some(json!({"ok": true})), "a null for what is optional is taken as absent");
    let format = &server.seen()[0].body["response_format"]["json_schema"];
    assert_eq!((&format["name"], &format["strict"]), (&json!("review"), &json!(true)));
    assert_eq!(format["schema"]["required"], json!(["note", "ok"]));

    let (reply, _) = ask(vec![Script::events(&[words(r#"{"ok": 1}"#, Some("stop"))], 9)], &asked).await;
    assert_eq!(reply.unwrap_err().code, "model_output_invalid");
    let (reply, _) = ask(vec![Script::events(&[words(r#"{"ok": tr"#, Some("length"))], 9)], &asked).await;
    assert_eq!(reply.unwrap_err().code, "model_output_truncated");
}

#[tokio::test]
async fn a_schema_that_is_no_object_is_wrapped_and_unwrapped() {
    let asked = structured(json!({"type": "array", "items": {"type": "integer"}}));
    let (reply, server) = ask(vec![Script::events(&[words(r#"{"value": [1, 2]}"#, Some("stop"))], 9)], &asked).await;
    assert_eq!(reply.unwrap().json, Some(json!([1, 2])));
    assert_eq!(server.seen()[0].body["response_format"]["json_schema"]["schema"]["type"], "object");
}

#[tokio::test]
async fn a_stream_without_its_end_is_no_answer() {
    let half = |end| Script::events(&[words("half", None)], 4).end(end);
    let (reply, _) = ask(vec![half(End::Proper)], &request()).await;
    assert_eq!(reply.unwrap_err().code, "model_stream_truncated");

    let mut cut = half(End::Cut);
    cut.pieces.truncate(8);
    let (reply, _) = ask(vec![cut], &request()).await;
    let failure = reply.unwrap_err();
    assert!(failure.class.retryable(), "{failure}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    // Cut before `[DONE]`, so that nothing ends the stream.
    let mut silent = Script::events(&[words("half", None)], 4).end(End::Stall);
    silent.pieces.truncate(10);
    let server = Server::start(vec![silent]).await;
    let hasty = OpenAi::new(Endpoint { idle_ms: 50, ..endpoint(&server) }, crate::routes::http(server.port));
    let failure = hasty.chat(&request(), &Quiet, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.code, "model_stalled");
}

#[tokio::test]
async fn a_cancelled_call_stops_at_once() {
    let mut silent = Script::events(&[words("half", None)], 4).end(End::Stall);
    silent.pieces.truncate(10);
    let server = Server::start(vec![silent]).await;
    let cancel = CancellationToken::new();
    let asking = model(&server);
    let asked = request();
    let call = asking.chat(&asked, &Quiet, &cancel);
    let stop = async {
        while server.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (reply, ()) = tokio::join!(call, stop);
    assert_eq!(reply.unwrap_err().code, "cancelled");
}

#[tokio::test]
async fn faults_have_the_class_that_says_what_to_do() {
    let cases = [
        (Script::body(429, "{}").header("retry-after", "7"), ("rate_limited", "model_rate_limited")),
        (Script::body(503, "busy"), ("transient", "model_unavailable")),
        (Script::body(400, r#"{"error":{"code":"context_length_exceeded"}}"#), ("invalid", "context_too_long")),
        (Script::body(401, "{}"), ("refused", "model_key_refused")),
        (Script::events(&[json!({"error": {"code": 429}})], 9), ("rate_limited", "model_rate_limited")),
        (Script::events(&[json!({"error": {"type": "server_error"}})], 9), ("transient", "model_unavailable")),
        (Script::events(&[words("x", Some("content_filter"))], 9), ("refused", "content_filter")),
        (
            Script::events(&[json!({"choices": [{"index": 0, "delta": {"refusal": "no"}}]})], 9),
            ("refused", "model_refused"),
        ),
        (Script::events(&[json!([1, 2])], 9), ("transient", "model_stream_malformed")),
    ];
    for (script, expected) in cases {
        let (reply, _) = ask(vec![script], &request()).await;
        let failure = reply.unwrap_err();
        assert_eq!((failure.class.name(), failure.code.as_str()), expected);
    }
    let (reply, _) = ask(vec![Script::body(429, "{}").header("retry-after", "7")], &request()).await;
    assert_eq!(reply.unwrap_err().retry_after_ms, Some(7_000));
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let server = Server::start(vec![]).await;
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint { base_url: format!("http://127.0.0.1:{gone}/v1"), ..endpoint(&server) };
    let asking = OpenAi::new(endpoint, crate::routes::http(gone));
    let failure = asking.chat(&request(), &Quiet, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.class.name(), "transient", "{failure}");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let whole =
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "all"}, "finish_reason": "stop"}]});
    let (reply, _) = ask(vec![Script::body(200, &whole.to_string())], &request()).await;
    assert_eq!(reply.unwrap().text, "all");
}

#[test]
fn a_key_does_not_show_itself() {
    assert!(!format!("{:?}", Arc::new(Secret::new("sk-test"))).contains("sk-test"));
}
