//! Time and size are limited, in streams too.

use std::time::Duration;

use baton_common::ErrorClass;
use baton_egress::Request;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use crate::server::{Server, answer, client};

#[tokio::test]
async fn an_answer_larger_than_allowed_is_given_up() {
    let announced = Server::start(|_| answer("200 OK", &[], &"x".repeat(5000))).await;
    let endless = Server::serve(async |mut socket, _| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
        while socket.write_all(&[b'x'; 1000]).await.is_ok() {}
    })
    .await;
    let (client, _) = client([announced.allow(), endless.allow()]);
    for url in [announced.url("/"), endless.url("/")] {
        let response = client.send(Request::get(url).body_bytes_max(4000)).await.unwrap();
        assert_eq!(response.bytes().await.unwrap_err().code, "http_too_large");
    }
    let whole = client.send(Request::get(announced.url("/")).body_bytes_max(5000)).await.unwrap();
    assert_eq!(whole.bytes().await.unwrap().len(), 5000);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let silent = Server::serve(async |socket, _| {
        std::future::pending::<()>().await;
        drop(socket);
    })
    .await;
    let stalled = Server::serve(async |mut socket, _| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst").await;
        std::future::pending::<()>().await;
    })
    .await;
    let (client, _) = client([silent.allow(), stalled.allow()]);
    let failure = client.send(Request::get(silent.url("/")).timeout(Duration::from_millis(200))).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Timeout, "http_timeout"));
    for request in [
        Request::get(stalled.url("/")).timeout(Duration::from_millis(300)),
        Request::get(stalled.url("/")).idle(Duration::from_millis(300)),
    ] {
        let pieces: Vec<_> = client.send(request).await.unwrap().into_stream().collect().await;
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].as_ref().unwrap(), "first");
        assert_eq!(pieces[1].as_ref().unwrap_err().code, "http_timeout");
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_no_whole_answer() {
    let cut = Server::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()).await;
    let (client, _) = client([cut.allow()]);
    let failure = client.send(Request::get(cut.url("/"))).await.unwrap().bytes().await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Transient, "http_broken"));
}
