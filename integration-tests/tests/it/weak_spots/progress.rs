//! Progress with two replicas: whoever watches on either sees it, once.

use std::sync::Arc;
use std::time::Duration;

use baton_broker::Broker;
use baton_common::RunId;
use baton_common::ids::{ClaimRequest, WorkerId};
use baton_common::job::{ClaimAnswer, Envelope, Grant};
use baton_common::settings::Timings;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_control::{Announcement, ClaimCall, ControlPlane as _, Hold};
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, Live, SubmitRequest, WatchStream, Watched};
use baton_orchestrator::{Compute, Orchestrator, Parts, Settings, wiring};
use baton_testbed::{Redis, RedisOptions};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::rig::PATIENCE;

const TALKS: &str = "baton: 1\ngraph: talks\nstart: say\nnodes:\n  say: { tool: { name: t.say }, then: end }\n";

/// Tries with a pause between, until the one subscribed.
const PAUSE: Duration = Duration::from_millis(10);

async fn replica(redis: &Redis, broker: &Arc<dyn Broker>, name: &str, stop: &CancellationToken) -> Orchestrator {
    let timings = Timings::default();
    let parts = Parts {
        store: wiring::store(&redis.url(), &timings).await.unwrap(),
        broker: broker.clone(),
        blobs: wiring::blobs("memory:").unwrap(),
        settings: Settings {
            timings,
            replica: name.to_owned(),
            cluster_secret: Some("s".into()),
            ..Settings::default()
        },
        compute: Compute::Inline,
    };
    Orchestrator::start(parts, stop.clone()).await.unwrap()
}

/// The one job of a run, in the hands of a worker.
async fn claimed(orchestrator: &Orchestrator, broker: &Arc<dyn Broker>) -> Grant {
    let tool = ToolSpec {
        name: "t.say".to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect: Effect::Pure,
        description: String::new(),
        args_schema: json!({}),
    };
    let announcement = Announcement {
        worker: WorkerId(1),
        class: QueueClass::Io,
        slots: 1,
        tools: vec![tool],
        place: "here".to_owned(),
        version: "0".to_owned(),
        queues: Vec::new(),
        held: std::collections::BTreeMap::new(),
    };
    orchestrator.announce(announcement).await.unwrap();
    let source = GraphSource { text: TALKS.to_owned(), ..GraphSource::default() };
    let request = SubmitRequest {
        graph: GraphRef::Source(source),
        input: json!({}),
        request_id: None,
        thread: None,
        traceparent: None,
        record: false,
    };
    orchestrator.submit(&Caller::local(), request).await.unwrap();
    let mut consumer = broker.consume(&["io.normal".to_owned()], 1).await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
    let envelope: Envelope = serde_json::from_slice(delivery.body()).unwrap();
    delivery.ack().await.unwrap();
    let call = ClaimCall { envelope: envelope.into(), request: ClaimRequest(1) };
    match orchestrator.claim(WorkerId(1), vec![call]).await.unwrap().remove(0) {
        ClaimAnswer::Granted(grant) => *grant,
        other => panic!("{other:?}"),
    }
}

async fn watch(orchestrator: &Orchestrator, run: RunId) -> WatchStream {
    orchestrator.watch(&Caller::local(), run, 0).await.unwrap()
}

async fn live(items: &mut WatchStream) -> Live {
    loop {
        if let Watched::Live(live) = items.next().await.unwrap().unwrap() {
            return live;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_reaches_watchers_of_every_replica_once() {
    let redis = Redis::start(RedisOptions::default()).unwrap();
    let (broker, stop) = (wiring::broker("memory:").unwrap(), CancellationToken::new());
    let one = replica(&redis, &broker, "one", &stop).await;
    let two = replica(&redis, &broker, "two", &stop).await;
    let grant = claimed(&one, &broker).await;
    let hold = Hold::of(&grant);
    let (mut here, mut there) = (watch(&one, grant.job.run).await, watch(&two, grant.job.run).await);

    let seen = tokio::time::timeout(PATIENCE, async {
        let mut number = 0;
        loop {
            one.emit(hold.clone(), json!({ "delta": number })).await.unwrap();
            number += 1;
            if let Ok(seen) = tokio::time::timeout(PAUSE, live(&mut there)).await {
                break seen;
            }
        }
    });
    let first = seen.await.unwrap().body["delta"].as_u64().unwrap();
    one.emit(hold.clone(), json!({ "delta": "last" })).await.unwrap();
    let mut rest = vec![json!(first)];
    while rest.last() != Some(&json!("last")) {
        rest.push(tokio::time::timeout(PATIENCE, live(&mut there)).await.unwrap().body["delta"].clone());
    }
    let ordered: Vec<_> = (first..).take(rest.len() - 1).map(|number| json!(number)).chain([json!("last")]).collect();
    assert_eq!(rest, ordered, "from the first that came on, all of them in order");
    let mut all = Vec::new();
    while all.last() != Some(&json!("last")) {
        all.push(tokio::time::timeout(PATIENCE, live(&mut here)).await.unwrap().body["delta"].clone());
    }
    all.pop();
    assert_eq!(all, (0..all.len()).map(|number| json!(number)).collect::<Vec<_>>(), "nothing is heard twice");
    drop((here, there));
    stop.cancel();
    for replica in [one, two] {
        assert!(replica.stopped().await);
        replica.store().close().await;
    }
}
