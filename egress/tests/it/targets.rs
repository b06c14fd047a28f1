//! Which targets are reached and which are not.

use baton_common::ErrorClass;
use baton_egress::{Allow, Client, Policy, Request};

use crate::server::{Server, answer, client};

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_before_anything_is_sent() {
    let server = Server::start(|_| answer("200 OK", &[], "secret")).await;
    let (client, _) = client([]);
    let port = server.at.port();
    for host in
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "inside.test", "mixed.test"]
    {
        let failure = client.send(Request::get(format!("http://{host}:{port}/"))).await.unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Refused, "egress_refused"), "{host}");
        assert!(failure.message.contains("egress.allow"), "{}", failure.message);
    }
    let failure = Client::new(Policy::default()).send(Request::get(format!("http://localhost:{port}/"))).await;
    assert_eq!(failure.unwrap_err().code, "egress_refused");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_exception_opens_that_host_and_port_only() {
    let server = Server::start(|_| answer("200 OK", &[], "hello")).await;
    let other = Server::start(|_| answer("200 OK", &[], "other")).await;
    let (client, _) = client([server.allow(), Allow::new("inside.test", server.at.port())]);
    let port = server.at.port();
    for url in [server.url("/x?q=1"), format!("http://inside.test:{port}/")] {
        let answer = client.send(Request::get(url)).await.unwrap();
        assert_eq!((answer.status(), answer.bytes().await.unwrap().as_ref()), (200, b"hello".as_ref()));
    }
    for url in
        [other.url("/"), format!("http://several.test:{port}/"), format!("http://inside.test:{}/", other.at.port())]
    {
        assert_eq!(client.send(Request::get(url)).await.unwrap_err().code, "egress_refused");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_name_with_several_addresses_is_looked_up_once_and_each_is_tried() {
    let server = Server::start(|_| answer("200 OK", &[], "hello")).await;
    let (client, names) = client([Allow::new("several.test", server.at.port())]);
    let url = format!("http://several.test:{}/", server.at.port());
    let response = client.send(Request::get(url)).await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), "hello");
    assert_eq!(*names.asked.lock().unwrap(), ["several.test"]);
    assert!(server.seen()[0].to_lowercase().contains("host: several.test"));
}

#[tokio::test]
async fn other_schemes_and_credentials_in_urls_are_refused() {
    let (client, _) = client([]);
    for (url, code) in [
        ("file:///etc/passwd", "egress_scheme"),
        ("ftp://example.com/", "egress_scheme"),
        ("http://user:word@1.1.1.1/", "http_bad_url"),
        ("nonsense", "http_bad_url"),
        ("http://", "http_bad_url"),
    ] {
        assert_eq!(client.send(Request::get(url)).await.unwrap_err().code, code, "{url}");
    }
}

#[tokio::test]
async fn unknown_names_and_closed_ports_may_be_tried_again() {
    let server = Server::start(|_| answer("200 OK", &[], "")).await;
    let (url, allow) = (server.url("/"), server.allow());
    drop(server);
    let (client, _) = client([allow]);
    let failure = client.send(Request::get("http://nowhere.test/")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Transient, "http_name_unknown"));
    let mut failure = client.send(Request::get(url.clone())).await;
    while failure.is_ok() {
        failure = client.send(Request::get(url.clone())).await;
    }
    assert_eq!(failure.unwrap_err().code, "http_unreachable");
}
