//! A real orchestrator over memory adapters, asked over a real socket.

mod limits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::ids::WorkerId;
use baton_common::settings::Timings;
use baton_common::tool::QueueClass;
use baton_control::grpc::{Carrier, Endpoints, GrpcControlPlane};
use baton_control::{Announcement, ControlPlane as _};
use baton_proto::{detail, v1};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use v1::graphs_client::GraphsClient;
use v1::runs_client::RunsClient;
use v1::watch_response::Item;

use super::{Error, Services, serve};
use crate::auth::{Auth, Scope};
use crate::{Compute, Orchestrator, Parts, Settings, wiring};

const ASKS: &str =
    "baton: 1\ngraph: asks\nstart: a\nnodes:\n  a: { ask: { title: hi, fields: { x: string } }, then: end }\n";
const PATIENCE: Duration = Duration::from_secs(20);

struct Serving {
    address: SocketAddr,
    auth: Arc<Auth>,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), Error>>,
}

async fn serving(key: Option<&str>) -> Serving {
    let timings = Timings::default().scaled(20);
    let parts = Parts {
        store: wiring::store("memory:", &timings).await.expect("a store"),
        broker: wiring::broker("memory:").expect("a broker"),
        blobs: wiring::blobs("memory:").expect("blobs"),
        settings: Settings { timings, ..Settings::default() },
        compute: Compute::threads(1).expect("threads"),
    };
    let auth = Arc::new(Auth::new(parts.store.clone(), key, false));
    let shutdown = CancellationToken::new();
    let orchestrator = Orchestrator::start(parts, shutdown.clone()).await.expect("an orchestrator");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let plane = Arc::new(orchestrator.clone());
    let services = Services { orchestrator, plane, auth: auth.clone(), shutdown: shutdown.clone() };
    let server = tokio::spawn(serve(listener, services, Duration::from_millis(300)));
    Serving { address, auth, shutdown, server }
}

impl Serving {
    fn carrier(&self, key: Option<&str>) -> Carrier {
        Endpoints::new(&self.address.to_string(), key).expect("an address").current().1
    }

    /// Ends the server and says how long that took.
    async fn end(self) -> Duration {
        let started = Instant::now();
        self.shutdown.cancel();
        timeout(PATIENCE, self.server).await.expect("an end").expect("no panic").expect("no error");
        started.elapsed()
    }
}

fn code_of(status: &Status) -> String {
    detail::of_status(status).expect("a detail").code
}

async fn asking_run(carrier: Carrier) -> String {
    let request = v1::SubmitRequest { source: ASKS.to_owned(), ..v1::SubmitRequest::default() };
    RunsClient::new(carrier).submit(request).await.expect("a run").into_inner().run_id
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_code_cause_and_cure() {
    let serving = serving(None).await;
    let mut runs = RunsClient::new(serving.carrier(None));
    let missing = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11".to_owned();
    let status = runs.get(v1::GetRunRequest { run_id: missing }).await.expect_err("no run");
    assert_eq!((status.code(), code_of(&status).as_str()), (Code::NotFound, "run_not_found"));
    let status = runs.get(v1::GetRunRequest { run_id: "x".to_owned() }).await.expect_err("no id");
    assert_eq!((status.code(), code_of(&status).as_str()), (Code::InvalidArgument, "malformed_request"));
    let broken = v1::ApplyGraphRequest { source: ASKS.replace("ask:", "aks:"), ..v1::ApplyGraphRequest::default() };
    let status = GraphsClient::new(serving.carrier(None)).apply(broken).await.expect_err("no graph");
    let detail = detail::of_status(&status).expect("a detail");
    assert_eq!((detail.code.as_str(), detail.problems.first().map(|problem| problem.line)), ("invalid_graph", Some(5)));
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_with_the_scope_work_may_ask_as_a_worker() {
    let serving = serving(Some("operator")).await;
    let caller = serving.auth.caller(Some("operator"), Scope::Operate).await.expect("the configured key");
    let (_, reader) = serving.auth.create(&caller, caller.actor.clone(), &[Scope::Read]).await.expect("a key");
    let (_, worker) = serving.auth.create(&caller, caller.actor.clone(), &[Scope::Work]).await.expect("a key");
    let announcement = Announcement {
        worker: WorkerId(1),
        class: QueueClass::Io,
        slots: 1,
        tools: Vec::new(),
        place: "here".to_owned(),
        version: "1".to_owned(),
        queues: Vec::new(),
        held: BTreeMap::new(),
    };
    for key in [None, Some("guess"), Some(reader.as_str())] {
        let plane = GrpcControlPlane::new(&serving.address.to_string(), key).expect("an address");
        let refused = plane.announce(announcement.clone()).await;
        assert!(matches!(refused, Err(baton_control::Error::Refused(_))), "{refused:?}");
    }
    // Nobody listens on the first address: the second serves.
    let addresses = format!("127.0.0.1:1,{}", serving.address);
    let plane = GrpcControlPlane::new(&addresses, Some(&worker)).expect("addresses");
    assert!(plane.announce(announcement.clone()).await.expect("a welcome").lease_ms > 0);
    let status = RunsClient::new(serving.carrier(Some(&worker))).list(v1::ListRunsRequest::default()).await;
    assert_eq!(status.expect_err("no reader").code(), Code::PermissionDenied);
    serving.end().await;
    let gone = plane.announce(announcement).await;
    assert!(matches!(gone, Err(baton_control::Error::Unavailable(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_run_is_not_found() {
    let serving = serving(Some("operator")).await;
    let run_id = asking_run(serving.carrier(Some("operator"))).await;
    let stranger = crate::api::Caller {
        tenant: "other".parse().expect("a tenant"),
        actor: baton_common::Actor::local(),
        trace: None,
    };
    let (_, key) = serving.auth.create(&stranger, stranger.actor.clone(), &Scope::ALL).await.expect("a key");
    let mut theirs = RunsClient::new(serving.carrier(Some(&key)));
    let status = theirs.get(v1::GetRunRequest { run_id: run_id.clone() }).await.expect_err("not theirs");
    assert_eq!(status.code(), Code::NotFound);
    let status = theirs.cancel(v1::CancelRequest { run_id: run_id.clone() }).await.expect_err("not theirs");
    assert_eq!(status.code(), Code::NotFound);
    assert!(theirs.list(v1::ListRunsRequest::default()).await.expect("a list").into_inner().runs.is_empty());
    let mut ours = RunsClient::new(serving.carrier(Some("operator")));
    assert!(ours.get(v1::GetRunRequest { run_id }).await.is_ok());
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_the_server_and_an_idle_connection_holds_nothing_up() {
    let serving = serving(None).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(serving.address).await.expect("a connection"));
    }
    let mut runs = RunsClient::new(serving.carrier(None));
    let run_id = asking_run(serving.carrier(None)).await;
    let mut items =
        runs.watch(v1::WatchRequest { run_id, after: 0, state: false }).await.expect("a watch").into_inner();
    loop {
        let item = timeout(PATIENCE, items.message()).await.expect("events").expect("no error").expect("an item");
        if matches!(item.item, Some(Item::Event(event)) if event.kind == "asked") {
            break;
        }
    }
    let ended = tokio::spawn(async move {
        loop {
            match timeout(PATIENCE, items.message()).await.expect("an end") {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    });
    assert!(serving.end().await < Duration::from_secs(5));
    let status = ended.await.expect("no panic").expect_err("the run has not ended");
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_both_reflections_answer() {
    use tonic_reflection::pb;
    let serving = serving(None).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(serving.carrier(None));
    let started = Instant::now();
    loop {
        let service = "baton.v1.Runs".to_owned();
        let answer = health.check(tonic_health::pb::HealthCheckRequest { service }).await;
        if answer.is_ok_and(|answer| answer.get_ref().status == 1) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it is never healthy");
        tokio::task::yield_now().await;
    }
    macro_rules! names {
        ($version:ident) => {{
            use pb::$version::{ServerReflectionRequest, server_reflection_request::MessageRequest};
            let list = Some(MessageRequest::ListServices(String::new()));
            let request = ServerReflectionRequest { host: String::new(), message_request: list };
            let mut client = pb::$version::server_reflection_client::ServerReflectionClient::new(serving.carrier(None));
            let answers = client.server_reflection_info(futures_util::stream::iter([request])).await.expect("answers");
            format!("{:?}", answers.into_inner().message().await.expect("an answer"))
        }};
    }
    for names in [names!(v1), names!(v1alpha)] {
        for name in ["baton.v1.Runs", "baton.v1.Graphs", "baton.v1.Operate", "baton.v1.ControlPlane"] {
            assert!(names.contains(name), "{name} is missing in {names}");
        }
    }
    serving.end().await;
}
