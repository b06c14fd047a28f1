//! Each redirect is a request like the first.

use baton_egress::{Method, Request};

use crate::server::{Server, answer, client};

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let inside = Server::start(|_| answer("200 OK", &[], "secret")).await;
    for target in [inside.url("/"), format!("http://mixed.test:{}/", inside.at.port()), "file:///etc/passwd".to_owned()]
    {
        let front = Server::start(move |_| answer("302 Found", &[&format!("location: {target}")], "")).await;
        let (client, _) = client([front.allow()]);
        let failure = client.send(Request::get(front.url("/"))).await.unwrap_err();
        assert!(["egress_refused", "egress_scheme"].contains(&failure.code.as_str()), "{failure}");
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn secrets_do_not_follow_to_another_origin() {
    let target = Server::start(|_| answer("200 OK", &[], "done")).await;
    let location = format!("location: {}", target.url("/there"));
    let front = Server::start(move |request| match request.starts_with("POST /near") {
        true => answer("307 Temporary Redirect", &["location: /far"], ""),
        false => answer("307 Temporary Redirect", &[&location], ""),
    })
    .await;
    let (client, _) = client([front.allow(), target.allow()]);
    let request = Request::post_json(front.url("/near"), &1)
        .unwrap()
        .header("Authorization", "Bearer k")
        .header("x-api-key", "k");
    let response = client.send(request).await.unwrap();
    assert_eq!(response.url().path(), "/there");
    assert!(front.seen()[1].contains("authorization: Bearer k"));
    let arrived = &target.seen()[0];
    assert!(arrived.starts_with("POST /there") && arrived.ends_with("\r\n\r\n1"), "{arrived}");
    assert!(!arrived.contains("authorization") && !arrived.contains("x-api-key"), "{arrived}");
}

#[tokio::test]
async fn see_other_turns_a_post_into_a_get() {
    let server = Server::start(|request| match request.starts_with("POST") {
        true => answer("303 See Other", &["location: /b"], ""),
        false => answer("200 OK", &[], "b"),
    })
    .await;
    let (client, _) = client([server.allow()]);
    let request = Request::new(Method::POST, server.url("/a")).body("body");
    assert_eq!(client.send(request).await.unwrap().bytes().await.unwrap(), "b");
    assert!(server.seen()[1].starts_with("GET /b") && !server.seen()[1].contains("body"));
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let server = Server::start(|_| answer("301 Moved Permanently", &["location: /"], "")).await;
    let (client, _) = client([server.allow()]);
    let failure = client.send(Request::get(server.url("/"))).await.unwrap_err();
    assert_eq!(failure.code, "http_too_many_redirects");
    assert_eq!(server.seen().len(), 6);
}
