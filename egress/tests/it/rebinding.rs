//! Names that lead elsewhere once they were judged, and texts that look like one host and
//! lead to another.

use std::sync::Arc;

use baton_egress::{Client, Policy, Request};

use crate::server::{Changing, Server, answer, client};

/// A client of a name with these answers, one after another.
fn changing(answers: &[&[&'static str]]) -> (Client, Arc<Changing>) {
    let names = Arc::new(Changing::default());
    *names.answers.lock().unwrap() = answers.iter().map(|answer| answer.to_vec()).collect();
    let policy = Policy { connect_timeout_ms: 300, ..Policy::default() };
    (Client::with_lookup(policy, names.clone()), names)
}

#[tokio::test]
async fn a_name_that_changes_its_answer_reaches_nothing_inside() {
    let server = Server::start(|_| answer("200 OK", &[], "secret")).await;
    // The first answer is judged and connected to; a second one is judged like the first.
    let (client, names) = changing(&[&["192.0.2.1"], &["127.0.0.1"]]);
    let url = format!("http://rebinding.test:{}/", server.at.port());
    let first = client.send(Request::get(url.clone())).await.unwrap_err();
    assert_eq!(first.code, "egress_refused", "{first}");
    assert_eq!(*names.asked.lock().unwrap(), 1, "a request looks up once");
    for _ in 0..3 {
        assert_eq!(client.send(Request::get(url.clone())).await.unwrap_err().code, "egress_refused");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn of_a_public_and_a_private_answer_only_the_public_one_is_connected_to() {
    let server = Server::start(|_| answer("200 OK", &[], "secret")).await;
    // 2000::1 is public and nobody is there: the request fails without a look at loopback.
    let (client, _) = changing(&[&["2000::1", "127.0.0.1"], &["::ffff:127.0.0.1", "2000::1"]]);
    let url = format!("http://both.test:{}/", server.at.port());
    for _ in 0..2 {
        let failure = client.send(Request::get(url.clone())).await.unwrap_err();
        assert_ne!(failure.code, "http_status", "{failure}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_is_looked_up_and_judged_anew() {
    let inside = Server::start(|_| answer("200 OK", &[], "secret")).await;
    for target in [
        format!("http://127.0.0.1:{}/", inside.at.port()),
        format!("http://2130706433:{}/", inside.at.port()),
        format!("http://0x7f000001:{}/", inside.at.port()),
        format!("http://017700000001:{}/", inside.at.port()),
        format!("http://[::ffff:7f00:1]:{}/", inside.at.port()),
        format!("http://[64:ff9b::7f00:1]:{}/", inside.at.port()),
        format!("http://inside.test:{}/", inside.at.port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://metadata.google.internal@127.0.0.1/".to_owned(),
        "http://168.63.129.16/".to_owned(),
        "http://0/".to_owned(),
    ] {
        let location = format!("location: {target}");
        let front = Server::start(move |_| answer("307 Temporary Redirect", &[&location], "")).await;
        let (client, _) = client([front.allow()]);
        let failure = client.send(Request::get(front.url("/"))).await.unwrap_err();
        assert!(["egress_refused", "http_bad_url"].contains(&failure.code.as_str()), "{target}: {failure}");
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn hosts_in_disguise_are_seen_through() {
    let server = Server::start(|_| answer("200 OK", &[], "secret")).await;
    let port = server.at.port();
    let (client, _) = client([]);
    for url in [
        format!("http://127.1:{port}/"),
        format!("http://0x7f.0.0.0x1:{port}/"),
        format!("http://0177.0.0.01:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{port}/"),
        format!("http://127\u{3002}0\u{3002}0\u{3002}1:{port}/"),
        format!("http://127.0.0.1.:{port}/"),
        format!("http://%31%32%37.0.0.1:{port}/"),
        format!("http://[::127.0.0.1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[0:0:0:0:0:0:0:1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http:\\\\127.0.0.1:{port}/"),
        format!("http:///127.0.0.1:{port}/"),
        format!("http://example.com#@127.0.0.1:{port}/"),
        format!("http://1.1.1.1@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}\u{0}/"),
    ] {
        // What leads to another host on purpose is no way in either: it never answers here.
        let failure = client.send(Request::get(url.clone()).timeout(std::time::Duration::from_millis(500))).await;
        assert!(failure.is_err(), "{url}");
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}
