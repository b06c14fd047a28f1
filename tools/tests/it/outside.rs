//! What tools send to the outside, against a real server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use baton_common::ErrorClass;
use baton_egress::{Allow, Policy};
use baton_tools::{Config, testing};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::run;

/// Answers each request with that status and body, and hands its text over.
async fn server(status: &'static str, body: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while !whole(&bytes) && socket.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {}
            let _ = seen.send(String::from_utf8(bytes).unwrap());
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nretry-after: 2\r\nconnection: close\r\n"
            );
            let _ = socket.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
        }
    });
    (at, requests)
}

fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn config(at: SocketAddr) -> Config {
    Config {
        egress: Policy::allowing([Allow::new("127.0.0.1", at.port())]),
        slack_url: Some(format!("http://{at}/slack")),
        webhooks: BTreeMap::from([("ops".to_owned(), format!("http://{at}/ops"))]),
        ..Config::default()
    }
}

#[tokio::test]
async fn a_request_carries_the_key_and_brings_back_the_answer() {
    let (at, mut requests) = server("201 Created", r#"{"id":7}"#).await;
    let (config, call) = (config(at), testing::call());
    let args =
        json!({ "method": "POST", "url": format!("http://{at}/x"), "json": { "a": 1 }, "headers": { "x-own": "yes" } });
    let result = run(&config, "http.request", args, &call).await.unwrap();
    assert_eq!(
        (&result["status"], &result["json"], &result["body"]),
        (&json!(201), &json!({ "id": 7 }), &json!("{\"id\":7}"))
    );
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("POST /x "), "{request}");
    assert!(request.contains(&format!("idempotency-key: {}", call.idempotency_key)), "{request}");
    assert!(request.contains("x-own: yes") && request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
    let args = json!({ "method": "GET", "url": format!("http://{at}/x") });
    run(&config, "http.request", args, &call).await.unwrap();
    assert!(!requests.recv().await.unwrap().contains("idempotency-key"));
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_a_result_unless_it_asks_to_come_back() {
    let (at, _requests) = server("404 Not Found", "{}").await;
    let args = json!({ "method": "GET", "url": format!("http://{at}/") });
    assert_eq!(run(&config(at), "http.request", args, &testing::call()).await.unwrap()["status"], 404);
    let (at, _requests) = server("429 Too Many Requests", "{}").await;
    let args = json!({ "method": "GET", "url": format!("http://{at}/") });
    let failure = run(&config(at), "http.request", args, &testing::call()).await.unwrap_err();
    assert_eq!((failure.class, failure.retry_after_ms), (ErrorClass::RateLimited, Some(2000)));
}

#[tokio::test]
async fn an_address_inside_is_refused() {
    let (at, _requests) = server("200 OK", "{}").await;
    let args = json!({ "method": "GET", "url": format!("http://{at}/") });
    let failure = run(&Config::default(), "http.request", args, &testing::call()).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Refused, "egress_refused"));
}

#[tokio::test]
async fn messages_go_to_configured_places_with_their_key() {
    let (at, mut requests) = server("200 OK", "{}").await;
    let (config, call) = (config(at), testing::call());
    let key = format!("idempotency-key: {}", call.idempotency_key);
    let args = json!({ "text": "hi", "channel": "#ops", "thread": "1.2" });
    assert_eq!(run(&config, "slack.post", args, &call).await.unwrap(), json!({ "status": 200 }));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("POST /slack ") && request.contains(&key), "{request}");
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body, json!({ "text": "hi", "channel": "#ops", "thread_ts": "1.2" }));
    run(&config, "webhook.post", json!({ "name": "ops", "json": [1] }), &call).await.unwrap();
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("POST /ops ") && request.contains(&key) && request.ends_with("[1]"), "{request}");
    let failure = run(&config, "webhook.post", json!({ "json": 1 }), &call).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Refused, "webhook_not_configured"));
}

#[tokio::test]
async fn without_configuration_messages_are_refused() {
    let (config, call) = (Config::default(), testing::call());
    let failure = run(&config, "slack.post", json!({ "text": "hi" }), &call).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Refused, "slack_not_configured"));
    let shown = format!("{:?}", Config { slack_url: Some("https://hooks.example/secret".to_owned()), ..config });
    assert!(!shown.contains("secret"), "{shown}");
}
