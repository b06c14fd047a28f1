//! What is too large or too slow is refused or cut off, and the server goes on.

use std::time::Duration;

use baton_proto::{MESSAGE_BYTES_MAX, v1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use v1::graphs_client::GraphsClient;
use v1::runs_client::RunsClient;

use super::{PATIENCE, serving};
use crate::grpc::server::serve_with;
use crate::listener::{Greeting, Listener};
use crate::testing::services;

fn large() -> v1::ApplyGraphRequest {
    v1::ApplyGraphRequest { source: " ".repeat(MESSAGE_BYTES_MAX + 1), ..v1::ApplyGraphRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_and_the_connection_lives() {
    let serving = serving(None).await;
    let carrier = serving.carrier(None);
    let status = GraphsClient::new(carrier.clone()).apply(large()).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(status.message().contains("too large"), "{status:?}");
    assert!(RunsClient::new(carrier).list(v1::ListRunsRequest::default()).await.is_ok());
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_unknown_makes_the_server_read_a_message() {
    let serving = serving(Some("operator")).await;
    for key in [None, Some("guess")] {
        let status = GraphsClient::new(serving.carrier(key)).apply(large()).await.expect_err("nobody known");
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    }
    let status = GraphsClient::new(serving.carrier(Some("operator"))).apply(large()).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_too_large_is_refused() {
    let serving = serving(None).await;
    let mut request = Request::new(v1::ListRunsRequest::default());
    let value: MetadataValue<_> = "x".repeat(20_000).parse().expect("a value");
    request.metadata_mut().insert("x-large", value);
    let carrier = serving.carrier(None);
    assert!(RunsClient::new(carrier).list(request).await.is_err());
    assert!(RunsClient::new(serving.carrier(None)).list(v1::ListRunsRequest::default()).await.is_ok());
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_begin_is_cut_off() {
    let services = services().await;
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("an address");
    let greeting = Greeting { bytes: 33, within: Duration::from_millis(200) };
    let shutdown = services.shutdown.clone();
    tokio::spawn(serve_with(Listener::from(tcp), services, Duration::from_millis(100), greeting));
    for said in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(said).await.expect("sent");
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a connection that said {said:?} is held");
    }
    // Who has begun is served, however quiet it is afterwards.
    let carrier = baton_control::grpc::Endpoints::new(&address.to_string(), None).expect("an address").current().1;
    let mut runs = RunsClient::new(carrier);
    assert!(runs.list(v1::ListRunsRequest::default()).await.is_ok());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(runs.list(v1::ListRunsRequest::default()).await.is_ok());
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_how_many_calls_and_how_much_metadata_a_connection_takes() {
    let serving = serving(None).await;
    let mut stream = TcpStream::connect(serving.address).await.expect("a connection");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let mut head = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("a frame").expect("a frame");
    assert_eq!(head[3], 4, "the first frame is the server's settings");
    let length = usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    let setting = |wanted: u16| {
        let mut pairs = body.chunks_exact(6);
        let found = pairs.find(|pair| u16::from_be_bytes([pair[0], pair[1]]) == wanted)?;
        Some(u32::from_be_bytes([found[2], found[3], found[4], found[5]]))
    };
    assert_eq!((setting(3), setting(6)), (Some(256), Some(16 * 1024)));
    serving.end().await;
}
