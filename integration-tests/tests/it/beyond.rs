//! Both planes over Redis beyond one node and one connection: a slot that moves under a run, and
//! a follower of events whose connections are cut.

use std::sync::Arc;
use std::time::Duration;

use baton_common::RunId;
use baton_common::ids::Seq;
use baton_common::records::{EventKind, Run, RunStatus};
use baton_common::settings::Timings;
use baton_integration_tests::bench::Planes;
use baton_orchestrator::api::{Caller, Watched};
use baton_orchestrator::{Compute, Orchestrator, Parts, Settings, wiring};
use baton_store::redis::{RedisOptions, RedisStore};
use baton_store::{Reader, Store};
use baton_testbed::{Proxy, Redis, RedisCluster};
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Turns of a run that is still under way after all that is done to it, and of its neighbours.
const LONG: usize = 1_000;
const SHORT: usize = 60;
const PATIENCE: Duration = Duration::from_secs(120);

fn timings() -> Timings {
    Timings::default().scaled(20)
}

fn settings() -> Settings {
    Settings { timings: timings(), lease_partitions: false, broker_forgets: true, ..Settings::default() }
}

async fn store(url: &str) -> RedisStore {
    // Runs of one partition share its events: a neighbour of the long run keeps all of its own, too.
    let options = RedisOptions { events_max: 100_000, ..RedisOptions::new(url, timings()) };
    RedisStore::connect(options).await.unwrap()
}

async fn planes(store: &RedisStore) -> Planes {
    Planes::start(Arc::new(store.clone()), wiring::broker("memory:").unwrap(), settings()).await.unwrap()
}

/// Looks at a run until it is as wanted.
async fn until(store: &RedisStore, run: RunId, what: &str, ready: impl Fn(&Run) -> bool) -> Run {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(found)) = store.run(run).await
            && ready(&found)
        {
            return found;
        }
        if Instant::now() >= deadline {
            panic!("not within {PATIENCE:?}: {what}; {:?}", store.run(run).await);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// One history without a gap, and one end.
async fn is_whole(store: &RedisStore, ended: &Run, turns: usize) {
    assert_eq!(ended.state.status, RunStatus::Succeeded);
    let (run, mut seq, mut checkpoints) = (ended.info.id, ended.state.head, 0);
    while seq != Seq(0) {
        let checkpoint = store.checkpoint(&ended.info.thread, seq).await.unwrap().expect("no checkpoint is missing");
        assert!(checkpoint.parent < seq && checkpoint.run == run);
        (seq, checkpoints) = (checkpoint.parent, checkpoints + 1);
    }
    assert!(checkpoints >= turns, "{checkpoints}");
    let events = store.events(run, ended.state.events.saturating_sub(100), 1_000).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Ended).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_while_a_slot_moves_from_node_to_node() {
    let cluster = RedisCluster::start(&baton_testbed::RedisOptions::default()).unwrap();
    let store = store(&format!("redis+cluster://{}", cluster.hosts())).await;
    let planes = planes(&store).await;
    let moved = planes.submit(LONG).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..12 {
        others.push(planes.submit(SHORT).await.unwrap());
    }
    let tag = format!("{{p{}}}c", moved.partition);
    for _ in 0..3 {
        let before = until(&store, moved, "it is there", |_| true).await.state.superstep;
        let run = until(&store, moved, "it goes on", |run| run.state.superstep >= before + 10).await;
        assert!(!run.state.status.is_terminal(), "too short to be moved once more");
        let (from, slot) = cluster.place_of(&tag).unwrap();
        let to = (from + 1) % cluster.nodes().len();
        cluster.begin_move(slot, from, to).unwrap();
        while cluster.move_keys(slot, from, to, 3).unwrap() > 0 {}
        cluster.end_move(slot, to).unwrap();
        assert_eq!(cluster.place_of(&tag).unwrap(), (to, slot));
    }
    let ended = until(&store, moved, "it ends", |run| run.state.status.is_terminal()).await;
    is_whole(&store, &ended, LONG).await;
    for run in others {
        let ended = until(&store, run, "its neighbours end", |run| run.state.status.is_terminal()).await;
        is_whole(&store, &ended, SHORT).await;
    }
    planes.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_at_another_orchestrator_sees_every_event_though_its_connections_are_cut() {
    let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let (proxy, direct) = (Proxy::start(server.port()).unwrap(), store(&server.url()).await);
    let planes = planes(&direct).await;
    let stop = CancellationToken::new();
    let elsewhere = Orchestrator::start(
        Parts {
            store: Arc::new(store(&format!("redis://127.0.0.1:{}/", proxy.port())).await) as Arc<dyn Store>,
            broker: wiring::broker("memory:").unwrap(),
            blobs: wiring::blobs("memory:").unwrap(),
            settings: Settings { sweep: false, ..settings() },
            compute: Compute::threads(1).unwrap(),
        },
        stop.clone(),
    )
    .await
    .unwrap();
    let run = planes.submit(LONG).await.unwrap();
    let (mut after, mut cuts, mut over) = (0, 0, false);
    while !over {
        let mut watch = elsewhere.watch(&Caller::local(), run, after).await.expect("the store is there");
        while let Some(item) = timeout(PATIENCE, watch.next()).await.expect("an event in time") {
            match item.expect("a cut is not felt by who watches") {
                Watched::Event(event) => {
                    assert_eq!(event.seq, after + 1);
                    (after, over) = (event.seq, event.kind == EventKind::Ended);
                    if after % 500 == 0 {
                        proxy.cut();
                        cuts += 1;
                    }
                }
                Watched::Gap(gap) => panic!("{gap:?}"),
                Watched::Live(_) => {}
            }
        }
    }
    assert!(cuts >= 3, "{after} events, {cuts} cuts");
    assert_eq!(direct.run(run).await.unwrap().unwrap().state.events, after);
    stop.cancel();
    elsewhere.stopped().await;
    planes.stop().await.unwrap();
}
