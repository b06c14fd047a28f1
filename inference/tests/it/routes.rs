//! Routes from configuration, with their fallbacks.

use std::sync::{Arc, Mutex};

use baton_common::Failure;
use baton_egress::{Allow, Policy};
use baton_inference::egress;
use baton_inference::http::Http;
use baton_inference::{ChatReply, ChatRequest, Delta, DeltaSink, Message, ModelConfig, Quiet, Routes};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::openai::words;
use crate::server::{Script, Server};

/// The checked client, allowed to reach that local port.
pub(crate) fn http(port: u16) -> Arc<dyn Http> {
    egress::client(&ModelConfig::default(), &Policy::allowing([Allow::new("127.0.0.1", port)]))
}

/// The client as a worker makes it: the base URLs of its own configuration are allowed.
fn client(config: &ModelConfig) -> Arc<dyn Http> {
    egress::client(config, &Policy::default())
}

fn request() -> ChatRequest {
    ChatRequest { messages: vec![Message::user("The sky is blue.\n\nWhat is blue?")], ..ChatRequest::default() }
}

/// A route of the given candidates, where `a/m` and `b/m` are the two servers.
fn config(servers: [&Server; 2], candidates: &[&str]) -> ModelConfig {
    serde_json::from_value(json!({
        "providers": { "a": {"base_url": servers[0].base_url}, "b": {"base_url": servers[1].base_url} },
        "routes": { "writer": { "candidates": candidates } }
    }))
    .unwrap()
}

async fn ask(first: Script, second: Script, candidates: &[&str]) -> (Result<ChatReply, Failure>, [usize; 2]) {
    let servers = [Server::start(vec![first]).await, Server::start(vec![second]).await];
    let config = config([&servers[0], &servers[1]], candidates);
    let routes = Routes::from_config(&config, &client(&config)).unwrap();
    let reply = routes.chat("writer", &request(), &Quiet, &CancellationToken::new()).await;
    (reply, [servers[0].seen().len(), servers[1].seen().len()])
}

fn good() -> Script {
    Script::events(&[words("fine", Some("stop"))], 99)
}

#[tokio::test]
async fn the_next_candidate_answers_when_the_first_cannot_now() {
    for fault in [Script::body(429, ""), Script::body(500, ""), Script::events(&[words("cut", None)], 9)] {
        let (reply, asked) = ask(fault, good(), &["a/m", "b/m"]).await;
        assert_eq!(reply.unwrap().model, "b/m");
        assert_eq!(asked, [1, 1]);
    }
    let (reply, _) = ask(Script::body(500, ""), Script::body(500, ""), &["a/m", "b/m", "extractive"]).await;
    assert_eq!(reply.unwrap().model, "extractive");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let (reply, asked) = ask(Script::body(401, ""), good(), &["a/m", "b/m"]).await;
    assert_eq!(reply.unwrap_err().code, "model_key_refused");
    assert_eq!(asked, [1, 0]);
}

#[tokio::test]
async fn when_nobody_can_now_the_shortest_pause_is_told() {
    let busy = |seconds: &str| Script::body(429, "").header("retry-after", seconds);
    let (reply, _) = ask(busy("30"), busy("5"), &["a/m", "b/m"]).await;
    assert_eq!(reply.unwrap_err().retry_after_ms, Some(5_000));
    // A refusal of the second does not take back what the first may do later.
    let (reply, _) = ask(busy("30"), Script::body(404, ""), &["a/m", "b/m"]).await;
    assert_eq!(reply.unwrap_err().code, "model_rate_limited");
}

#[tokio::test]
async fn what_was_shown_is_taken_back_when_another_starts_over() {
    #[derive(Default)]
    struct Shown(Mutex<Vec<Delta>>);
    impl DeltaSink for Shown {
        fn delta(&self, delta: Delta) {
            self.0.lock().unwrap().push(delta);
        }
    }
    let servers =
        [Server::start(vec![Script::events(&[words("cut", None)], 9)]).await, Server::start(vec![good()]).await];
    let config = config([&servers[0], &servers[1]], &["a/m", "b/m"]);
    let routes = Routes::from_config(&config, &client(&config)).unwrap();
    let shown = Shown::default();
    routes.chat("writer", &request(), &shown, &CancellationToken::new()).await.unwrap();
    let text = |text: &str| Delta::Text(text.to_owned());
    assert_eq!(shown.0.into_inner().unwrap(), [text("cut"), Delta::Restart, text("fine")]);
}

#[tokio::test]
async fn without_configuration_every_route_is_extractive() {
    let routes = Routes::from_config(&ModelConfig::default(), &http(1)).unwrap();
    let reply = routes.chat("whatever", &request(), &Quiet, &CancellationToken::new()).await.unwrap();
    assert_eq!(reply.model, "extractive");
    assert!(reply.text.contains("- The sky is blue."), "{}", reply.text);
}

#[tokio::test]
async fn a_route_that_is_not_configured_is_named_beside_those_that_are() {
    let config = serde_json::from_value(json!({"routes": {"writer": {"candidates": ["extractive"]}}})).unwrap();
    let routes = Routes::from_config(&config, &http(1)).unwrap();
    let failure = routes.chat("writter", &request(), &Quiet, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(failure.code, "route_unknown");
    assert!(failure.message.contains("writer"), "{failure}");
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let code = |config: serde_json::Value| {
        let config: ModelConfig = serde_json::from_value(config).unwrap();
        Routes::from_config(&config, &http(1)).err().unwrap().code
    };
    let route = |candidate: &str| json!({"routes": {"r": {"candidates": [candidate]}}});
    assert_eq!(code(json!({"routes": {"r": {"candidates": []}}})), "route_invalid");
    assert_eq!(code(route("gpt")), "route_invalid");
    assert_eq!(code(route("nobody/gpt")), "provider_unknown");
    assert_eq!(code(route("scripted:no/such/file.json")), "script_invalid");
    let key = |key: &str| json!({"providers": {"x": {"base_url": "http://x/v1", "key": key}}, "routes": {"r": {"candidates": ["x/m"]}}});
    assert_eq!(code(key("env:BATON_TEST_NO_SUCH_KEY")), "key_missing");
    assert_eq!(code(key("sk-plain")), "key_invalid");
}

#[tokio::test]
async fn an_address_that_nobody_allowed_is_refused() {
    let server = Server::start(vec![good()]).await;
    let asking = baton_inference::openai::OpenAi::new(crate::openai::endpoint(&server), http(1));
    let failure = baton_inference::ChatModel::chat(&asking, &request(), &Quiet, &CancellationToken::new()).await;
    assert_eq!(failure.unwrap_err().class.name(), "refused");
    assert_eq!(server.seen().len(), 0);
}
