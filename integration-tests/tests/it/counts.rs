//! What a tool step costs on Redis, counted in scripts: by the adapter for each of them, and
//! by the server in sum.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton_common::settings::Timings;
use baton_integration_tests::bench::{Planes, Probe};
use baton_orchestrator::{Settings, wiring};
use baton_store::Store;
use baton_store::redis::{RedisOptions, RedisStore};
use baton_testbed::Redis;

/// Turns of the loop; each is one tool step.
const STEPS: usize = 50;

/// Beyond its steps a run costs its submit and its last advance.
const AROUND: u64 = 2;

/// The sweeper looks once at its start and then not before the test is over.
const QUIET_MS: u64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_step_costs_three_scripts_on_its_way_and_at_most_one_beside() {
    let timings = Timings { tick_ms: QUIET_MS, idle_tick_ms: QUIET_MS, mark_after_ms: 20, ..Timings::default() };
    let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let store = RedisStore::connect(RedisOptions::new(server.url(), timings.clone())).await.unwrap();
    let (probe, mut ends) = Probe::new(Arc::new(store.clone()), false);
    let broker = wiring::broker("memory:").unwrap();
    let settings = Settings { timings, lease_partitions: false, broker_forgets: true, ..Settings::default() };
    let over: Arc<dyn Store> = probe.clone();
    let planes = Planes::start(over, broker, settings).await.unwrap();
    let first_look = store.script_counts();
    let (scripts, sum) = (settled(&store, first_look).await, server_calls(&server));
    let run = planes.submit(STEPS).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), ends.recv()).await;
    assert_eq!(ended.unwrap(), Some(run));
    // What waits to be marked is written when the orchestrator stops, so that it counts too.
    planes.stop().await.unwrap();
    let (scripts, sum) = (difference(&scripts, &store.script_counts()), server_calls(&server) - sum);

    let steps = STEPS as u64;
    assert_eq!(probe.steps(), steps, "{scripts:?}");
    let of = |name: &str| scripts.get(name).copied().unwrap_or_default();
    assert_eq!(of("submit"), 1, "{scripts:?}");
    assert_eq!(of("advance"), steps + 1, "{scripts:?}");
    assert_eq!(of("claim"), steps, "{scripts:?}");
    assert_eq!(of("record"), steps, "{scripts:?}");
    assert!(of("mark") <= steps, "{scripts:?}");
    let critical: u64 = scripts.iter().filter(|(name, _)| **name != "mark").map(|(_, count)| count).sum();
    assert_eq!(critical, 3 * steps + AROUND, "nothing else is on the critical path: {scripts:?}");
    let all: u64 = scripts.values().sum();
    assert!(all <= 4 * steps + AROUND, "{scripts:?}");
    assert_eq!(sum, all, "the server ran what the adapter counted: {scripts:?}");
}

/// The counts once the sweeper's first look is over: when they stay for a while.
async fn settled(store: &RedisStore, mut counts: BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = store.script_counts();
        if now == counts {
            return now;
        }
        counts = now;
    }
}

fn difference(
    before: &BTreeMap<&'static str, u64>,
    after: &BTreeMap<&'static str, u64>,
) -> BTreeMap<&'static str, u64> {
    let risen = after.iter().map(|(name, count)| (*name, count - before.get(name).copied().unwrap_or_default()));
    risen.filter(|(_, count)| *count > 0).collect()
}

/// Scripts the server ran, in sum: `cmdstat_evalsha:calls=12,usec=…`.
fn server_calls(server: &Redis) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]).unwrap();
    let calls = |line: &str| -> Option<u64> {
        let (name, figures) = line.split_once(':')?;
        let scripts = ["cmdstat_evalsha", "cmdstat_eval", "cmdstat_fcall", "cmdstat_evalsha_ro", "cmdstat_eval_ro"];
        let calls = figures.split(',').find_map(|figure| figure.strip_prefix("calls="))?;
        scripts.contains(&name).then(|| calls.parse().ok())?
    };
    stats.lines().filter_map(calls).sum()
}
