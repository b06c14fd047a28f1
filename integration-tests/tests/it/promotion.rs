//! A replica that was held back is promoted: what it never got is forgotten, the run goes on
//! from what it has, and the audit log says what went back.

use std::sync::Arc;
use std::time::Duration;

use baton_common::RunId;
use baton_common::ids::Seq;
use baton_common::records::{EventKind, Run, RunStatus};
use baton_common::settings::Timings;
use baton_integration_tests::bench::Planes;
use baton_orchestrator::{Settings, wiring};
use baton_store::redis::{RedisOptions, RedisStore};
use baton_store::{Reader, Store};
use baton_testbed::{Redis, SentinelOptions, Sentinels};
use tokio::time::{Instant, sleep};

/// Turns of the loop, and how many of them the replica misses at least.
const TURNS: usize = 1_500;
const MISSED: u64 = 40;

/// Looks at a run again and again, also while nobody answers.
async fn until(store: &RedisStore, run: RunId, what: &str, ready: impl Fn(&Run) -> bool) -> Run {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        if let Ok(Some(run)) = store.run(run).await
            && ready(&run)
        {
            return run;
        }
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_from_what_a_stale_replica_knows_and_the_audit_says_what_went_back() {
    let mut primary = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let replica = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    replica.follow(&primary).unwrap();
    let sentinels = Sentinels::start(primary.port(), 1, &SentinelOptions::default()).unwrap();
    let timings = Timings::default().scaled(20);
    let url = format!("redis+sentinel://{}", sentinels.hosts());
    let options = RedisOptions { response_timeout_ms: 1_000, ..RedisOptions::new(url, timings.clone()) };
    let store = RedisStore::connect(options).await.unwrap();
    let settings = Settings { timings, lease_partitions: false, broker_forgets: true, ..Settings::default() };
    let over: Arc<dyn Store> = Arc::new(store.clone());
    let planes = Planes::start(over, wiring::broker("memory:").unwrap(), settings).await.unwrap();
    let run = planes.submit(TURNS).await.unwrap();

    until(&store, run, "the run begins", |run| run.state.superstep >= 20).await;
    // Nobody is there: what the primary takes from now on never arrives.
    replica.follow_port(1).unwrap();
    let held = store.run(run).await.unwrap().unwrap().state.superstep;
    let seen = until(&store, run, "the primary goes on", |run| run.state.superstep >= held + MISSED).await;
    primary.kill();
    let ended = until(&store, run, "the run ends", |run| run.state.status.is_terminal()).await;

    assert_eq!(sentinels.primary().unwrap(), replica.port());
    assert_eq!(ended.state.status, RunStatus::Succeeded);
    let audit = store.audit(run.partition, 1_000).await.unwrap();
    let setback = audit.iter().find(|entry| entry.operation == "setback" && entry.run == run).expect("told");
    assert!(setback.before >= seen.state.ver && setback.after < setback.before, "{setback:?}");
    assert_eq!((setback.verdict.as_str(), setback.tenant.clone()), ("went_back", ended.info.thread.tenant.clone()));

    // One history without a gap, and one end.
    let mut seq = ended.state.head;
    let mut checkpoints = 0;
    while seq != Seq(0) {
        let checkpoint = store.checkpoint(&ended.info.thread, seq).await.unwrap().expect("no checkpoint is missing");
        assert!(checkpoint.parent < seq && checkpoint.run == run);
        seq = checkpoint.parent;
        checkpoints += 1;
    }
    assert!(checkpoints >= TURNS, "{checkpoints}");
    let events = store.events(run, ended.state.events - 200, 1_000).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Ended).count(), 1);
    planes.stop().await.unwrap();
}
