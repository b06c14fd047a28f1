//! Bodies, queries and headers that nobody sane sends: each gets an answer, none of them a
//! fault of ours. `BATON_FUZZ_CASES=20000` makes a long search of it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::client::send;
use super::parity::NOBODY;
use super::rig::{ASKS, Rig};
use crate::http::routes::ROUTES;
use crate::http::{openapi, route::Route};

fn cases() -> u32 {
    std::env::var("BATON_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

/// A value that may stand anywhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(ASKS),
            json!(NOBODY),
            json!("asks"),
            json!("../../x"),
            json!("{{ secret.x }}"),
            json!("[]"),
            json!(""),
            json!("a#1"),
            json!(u64::MAX),
            json!("-1.0.1"),
            json!({ "code": "x" }),
            json!({ "key": "../x", "bytes": 1, "digest": "00", "media_type": "" }),
        ]),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,8}", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

/// What one call may be sent.
#[derive(Debug, Clone)]
struct Sent {
    route: usize,
    values: Vec<Value>,
    junk: Option<Vec<u8>>,
    path: String,
    header: String,
}

fn sent() -> impl Strategy<Value = Sent> {
    let junk = prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 0..200));
    let words = "[ -~]{0,40}";
    (0..ROUTES.len(), prop::collection::vec(value(), 8), junk, words, words)
        .prop_map(|(route, values, junk, path, header)| Sent { route, values, junk, path, header })
}

impl Sent {
    fn body(&self, route: &Route) -> Vec<u8> {
        let Some(schema) = route.body else { return Vec::new() };
        if let Some(junk) = &self.junk {
            return junk.clone();
        }
        let names = openapi::properties(schema).zip(&self.values);
        let body: serde_json::Map<String, Value> =
            names.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        Value::Object(body).to_string().into_bytes()
    }

    fn head(&self, route: &Route) -> String {
        let encoded: String = url::form_urlencoded::byte_serialize(self.path.as_bytes()).collect();
        let run = if self.path.len().is_multiple_of(2) { NOBODY } else { encoded.as_str() };
        let path = route.path.replace("{run}", run);
        let path = path.split('/').map(|part| if part.starts_with('{') { encoded.as_str() } else { part });
        let query = route.query.iter().zip(&self.values).map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>())
        });
        let query: String = query.collect::<Vec<_>>().join("&").chars().take(4_000).collect();
        let path = path.collect::<Vec<_>>().join("/");
        let headers: String = route.headers.iter().map(|name| format!("{name}: {}\r\n", self.header)).collect();
        format!("{} {path}?{query} HTTP/1.1\r\nContent-Type: application/json\r\n{headers}", route.method)
    }
}

#[test]
fn whatever_is_sent_gets_an_answer_that_is_no_fault() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rig = runtime.block_on(Rig::new());
    runtime.block_on(rig.post("/v1/graphs", json!({ "source": ASKS })));
    let mut runner = TestRunner::new(Config { cases: cases(), failure_persistence: None, ..Config::default() });
    let found = runner.run(&sent(), |sent| {
        let route = &ROUTES[sent.route];
        let reply = runtime.block_on(send(rig.http, &sent.head(route), &sent.body(route)));
        // 503 is what a broker or a plane says that cannot be asked; a fault is 500.
        prop_assert!(reply.status != 500, "{} {}", route.operation, reply.status);
        Ok(())
    });
    if let Err(error) = found {
        panic!("{error}");
    }
    assert_eq!(runtime.block_on(rig.get("/healthz")).status, 200);
}
