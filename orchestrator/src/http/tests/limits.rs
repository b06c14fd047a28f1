//! What is too large, too slow or too many is refused or cut off, told where it can be
//! told, and the server goes on.

use std::time::Duration;

use baton_proto::v1;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use v1::runs_client::RunsClient;

use super::client::{PATIENCE, send};
use super::parity::Both;
use super::rig::Rig;
use crate::Settings;

#[tokio::test(flavor = "multi_thread")]
async fn a_path_a_query_or_headers_that_are_too_long_are_refused() {
    let rig = Rig::new().await;
    for path in [format!("/v1/runs/{}", "x".repeat(9_000)), format!("/v1/runs?thread={}", "x".repeat(9_000))] {
        let reply = rig.get(&path).await;
        assert_eq!(reply.status, 414);
        assert_eq!(reply.json().await["error"]["code"], "request_too_large");
    }
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(40_000));
    for headers in [many, large] {
        let head = format!("GET /v1/runs HTTP/1.1\r\n{headers}");
        assert_eq!(send(rig.http, &head, b"").await.status, 431);
    }
    assert_eq!(rig.get("/v1/runs").await.status, 200);
}

/// Whether the server ends the connection by itself, and what it said before.
async fn cut_off(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("the connection is held");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dribbles_or_says_nothing_is_cut_off() {
    let rig = Rig::with_pace(Duration::from_millis(300)).await;
    let connect = async || TcpStream::connect(rig.http).await.expect("a connection");
    let mut silent = connect().await;
    let mut half = connect().await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-").await.expect("sent");
    // Idle between two requests.
    let mut idle = connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let mut dribbling = connect().await;
    let (mut read, mut write) = dribbling.split();
    let dribble = async {
        for letter in b"GET /healthz HTTP/1.1\r\n".iter().chain(b"x: y\r\n".iter().cycle()) {
            if write.write_all(&[*letter]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut said = Vec::new();
    let ended = async {
        let _ = timeout(PATIENCE, read.read_to_end(&mut said)).await.expect("a dribbling connection is held");
    };
    tokio::select! {
        () = dribble => {}
        () = ended => {}
    }
    assert!(cut_off(&mut idle).await.starts_with("HTTP/1.1 200"));
    cut_off(&mut silent).await;
    cut_off(&mut half).await;
    assert_eq!(rig.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_watches_so_many_runs_and_the_others_watch_all_the_same() {
    let settings = Settings { watches_max: 2, ..Settings::default() };
    let rig = Rig::with(Some("operator"), settings, Duration::from_secs(20)).await;
    let run = rig.asking().await;
    let watch = || async {
        let head = format!("GET /v1/runs/{run}/events HTTP/1.1\r\nAuthorization: Bearer operator\r\n");
        send(rig.http, &head, b"").await
    };
    let mut first = watch().await;
    assert!(first.message().await.is_some());
    let mut runs = RunsClient::new(rig.carrier(Some("operator")));
    let request = v1::WatchRequest { run_id: run.clone(), ..v1::WatchRequest::default() };
    let second = runs.watch(request.clone()).await.expect("the second of two");
    let refused = runs.watch(request.clone()).await;
    let both = Both { rig: &rig, key: Some("operator".to_owned()) };
    both.same(refused, ("GET", &format!("/v1/runs/{run}/events"), None), "too_many_watches").await;
    // A seat comes back with the end of its stream.
    drop(second);
    let began = std::time::Instant::now();
    while runs.watch(request.clone()).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "the seat never comes back");
        tokio::task::yield_now().await;
    }
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_listed_and_ended_over_http_and_its_text_told_once() {
    let rig = Rig::with_key(Some("operator")).await;
    let made = rig.post("/v1/keys", json!({ "actor": "ci", "scopes": ["read"], "ttl_ms": 60_000 })).await;
    assert_eq!((made.status, made.headers["cache-control"].as_str()), (201, "no-store"));
    let made = made.json().await;
    super::document::check(&crate::http::openapi::document(), "CreatedKey", &made);
    let secret = made["secret"].as_str().expect("its text").to_owned();
    let id = made["key"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(rig.call_as(Some(&secret), "GET", "/v1/runs", None).await.status, 200);
    let listed = rig.get("/v1/keys").await.json().await;
    super::document::check(&crate::http::openapi::document(), "Keys", &listed);
    assert_eq!(listed["keys"][0], made["key"]);
    assert!(!listed.to_string().contains(&secret));
    let theirs = json!({ "actor": "ann", "scopes": ["operate"], "tenant": "other" });
    let theirs = rig.post("/v1/keys", theirs).await.json().await;
    let stranger = theirs["secret"].as_str().expect("its text");
    let revoke = format!("/v1/keys/{id}/revoke");
    let answer = rig.call_as(Some(stranger), "POST", &revoke, None).await.json().await;
    assert_eq!(answer["revoked"], false, "another tenant's key");
    let ours = json!({ "actor": "ann", "scopes": ["read"], "tenant": "local" });
    let refused = rig.call_as(Some(stranger), "POST", "/v1/keys", Some(ours)).await;
    assert_eq!((refused.status, refused.json().await["error"]["code"].clone()), (403, "foreign_tenant".into()));
    assert_eq!(rig.call("POST", &revoke, None).await.json().await, json!({ "id": id, "revoked": true }));
    assert_eq!(rig.call_as(Some(&secret), "GET", "/v1/runs", None).await.status, 401);
    for (body, code) in [
        (json!({ "actor": "ci", "scopes": [] }), "no_scope"),
        (json!({ "actor": "ci", "scopes": ["all"] }), "unknown_scope"),
        (json!({ "scopes": ["read"] }), "malformed_request"),
        (json!({ "actor": "ci", "scopes": "read" }), "malformed_request"),
        (json!({ "actor": "ci", "scopes": ["read"], "tenant": "\u{7}" }), "malformed_request"),
    ] {
        let refused: Value = rig.post("/v1/keys", body).await.json().await;
        assert_eq!(refused["error"]["code"], code, "{refused}");
    }
}
