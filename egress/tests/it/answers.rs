//! What statuses and headers mean.

use baton_common::ErrorClass;
use baton_egress::Request;
use serde_json::{Value, json};

use crate::server::{Server, answer, client};

#[tokio::test]
async fn a_status_says_whether_to_try_again() {
    let server = Server::start(|request| {
        let status = request.split(['/', ' ']).nth(2).unwrap().to_owned();
        answer(&format!("{status} X"), &["retry-after: 3"], "")
    })
    .await;
    let (client, _) = client([server.allow()]);
    for (status, class, code, pause) in [
        (429, ErrorClass::RateLimited, "http_rate_limited", Some(3000)),
        (503, ErrorClass::Transient, "http_unavailable", Some(3000)),
        (500, ErrorClass::Transient, "http_unavailable", Some(3000)),
        (401, ErrorClass::Permanent, "http_unauthorized", None),
        (404, ErrorClass::Permanent, "http_not_found", None),
        (400, ErrorClass::Permanent, "http_status", None),
        (304, ErrorClass::Permanent, "http_status", None),
    ] {
        let response = client.send(Request::get(server.url(&format!("/{status}")))).await.unwrap();
        assert_eq!(response.status(), status);
        let failure = response.checked().unwrap_err();
        assert_eq!((failure.class, failure.code.as_str(), failure.retry_after_ms), (class, code, pause));
    }
}

#[tokio::test]
async fn json_goes_out_and_comes_back() {
    let server = Server::start(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/json"));
        answer("200 OK", &[], &format!("{{\"got\":{body}}}"))
    })
    .await;
    let (client, _) = client([server.allow()]);
    let request = Request::post_json(server.url("/"), &json!({ "n": [1, 2] })).unwrap();
    let value: Value = client.send(request).await.unwrap().checked().unwrap().json().await.unwrap();
    assert_eq!(value, json!({ "got": { "n": [1, 2] } }));
    let text = Server::start(|_| answer("200 OK", &[], "no json")).await;
    let (client, _) = crate::server::client([text.allow()]);
    let failure = client.send(Request::get(text.url("/"))).await.unwrap().json::<Value>().await.unwrap_err();
    assert_eq!(failure.code, "http_not_json");
}

#[tokio::test]
async fn headers_of_the_connection_are_not_the_callers() {
    let (client, _) = client([]);
    for (name, value) in [("Host", "other"), ("content-length", "1"), ("bad name", "x"), ("x", "a\r\nb: c")] {
        let failure = client.send(Request::get("http://1.1.1.1/").header(name, value)).await.unwrap_err();
        assert_eq!(failure.code, "http_bad_header", "{name}");
        assert!(!failure.message.contains("b: c"));
    }
}
