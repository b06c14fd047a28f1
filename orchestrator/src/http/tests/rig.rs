//! One orchestrator, served over gRPC and over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::Actor;
use baton_common::settings::Timings;
use baton_control::grpc::{Carrier, Endpoints};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{PATIENCE, Reply, send};
use super::store::{Forgetful, State};
use crate::api::Caller;
use crate::auth::{Auth, Scope};
use crate::http::server::{Pace, serve_with};
use crate::{Compute, Orchestrator, Parts, Services, Settings, grpc, wiring};

/// Asks one question and ends with the answer.
pub(super) const ASKS: &str = "baton: 1\ngraph: asks\noutput: { x: state.x }\nstate: { x: string }\nstart: a\nnodes:\n  a: { ask: { title: hi, fields: { x: string } }, save: { x: output.x }, then: end }\n";

pub(super) struct Rig {
    pub(super) http: SocketAddr,
    grpc: SocketAddr,
    pub(super) key: Option<String>,
    pub(super) services: Services,
    pub(super) store: Arc<State>,
    /// Ends the connections that are left when the drain is over.
    pub(super) done: CancellationToken,
    pub(super) serving: JoinHandle<()>,
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with_key(None).await
    }

    pub(super) async fn with_key(key: Option<&str>) -> Self {
        Self::with(key, Settings::default(), Duration::from_secs(20)).await
    }

    /// Requests have so long to say what they ask.
    pub(super) async fn with_pace(headers_within: Duration) -> Self {
        Self::with(None, Settings::default(), headers_within).await
    }

    pub(super) async fn with(key: Option<&str>, settings: Settings, headers_within: Duration) -> Self {
        let timings = Timings::default().scaled(20);
        let store = Forgetful::new(timings.clone());
        let state = store.state.clone();
        let parts = Parts {
            store: Arc::new(store),
            broker: wiring::broker("memory:").expect("a broker"),
            blobs: wiring::blobs("memory:").expect("blobs"),
            settings: Settings { timings, lease_partitions: false, ..settings },
            compute: Compute::threads(1).expect("threads"),
        };
        let auth = Arc::new(Auth::new(parts.store.clone(), key, false));
        let shutdown = CancellationToken::new();
        let orchestrator = Orchestrator::start(parts, shutdown.clone()).await.expect("an orchestrator");
        let services = Services { plane: Arc::new(orchestrator.clone()), orchestrator, auth, shutdown };
        let (web, wire) = (listener().await, listener().await);
        let (http, grpc) = (web.local_addr().expect("an address"), wire.local_addr().expect("an address"));
        let done = CancellationToken::new();
        let pace = Pace { heartbeat: Duration::from_millis(50), headers_within };
        let serving = tokio::spawn(serve_with(web, services.clone(), done.clone(), pace));
        tokio::spawn(grpc::serve(wire, services.clone(), Duration::from_millis(300)));
        Self { http, grpc, key: key.map(str::to_owned), services, store: state, done, serving }
    }

    /// A key of a tenant with these scopes.
    pub(super) async fn make_key(&self, tenant: &str, scopes: &[Scope]) -> String {
        let caller = Caller { tenant: tenant.parse().expect("a tenant"), actor: Actor::local(), trace: None };
        self.services.auth.create(&caller, Actor::local(), scopes).await.expect("a key").1
    }

    pub(super) fn carrier(&self, key: Option<&str>) -> Carrier {
        Endpoints::new(&self.grpc.to_string(), key).expect("an address").current().1
    }

    /// A call with the rig's own key.
    pub(super) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.call_as(self.key.as_deref(), method, path, body).await
    }

    pub(super) async fn call_as(&self, key: Option<&str>, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if let Some(key) = key {
            head += &format!("Authorization: Bearer {key}\r\n");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        send(self.http, &head, body.as_bytes()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    /// A stream of events, with headers of its own.
    pub(super) async fn watch(&self, run: &str, query: &str, headers: &str) -> Reply {
        let head = format!("GET /v1/runs/{run}/events{query} HTTP/1.1\r\n{headers}");
        send(self.http, &head, b"").await
    }

    /// A run that asks, once it does.
    pub(super) async fn asking(&self) -> String {
        let submitted = self.post("/v1/runs", json!({ "source": ASKS })).await.json().await;
        let run = submitted["run"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned();
        self.until(&run, "waiting").await;
        run
    }

    /// Returns once the run stands there.
    pub(super) async fn until(&self, run: &str, status: &str) {
        let path = format!("/v1/runs/{run}");
        let started = Instant::now();
        while self.get(&path).await.json().await["status"] != status {
            assert!(started.elapsed() < PATIENCE, "{run} is never {status}");
        }
    }

    pub(super) async fn answer(&self, run: &str) {
        let decision = json!({ "question": "a", "decision": { "x": "y" } });
        let answered = self.post(&format!("/v1/runs/{run}/answer"), decision).await;
        assert_eq!(answered.status, 200, "{answered:?}");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.services.shutdown.cancel();
        self.done.cancel();
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}
